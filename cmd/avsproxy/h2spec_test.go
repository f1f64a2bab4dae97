package main

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"avsproxy/internal/testkit"
)

// deviations are the cases of h2spec that net/http fails, and why that is good.
var deviations = map[string]string{
	"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                            "a setting that stands twice in a frame ends the connection: no client does that but to attack",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                       "answered by 400, which RFC 9113 section 8.1.1 allows; h2spec wants a reset",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"": "answered by 400 as well",
}

// inTheClear is besides, where the first bytes are not TLS.
const inTheClear = "http2/3.5: Sends invalid connection preface" // an invalid preface is a request of HTTP/1.1

// TestH2spec runs the conformance suite github.com/summerwind/h2spec on the proxy's
// own listener, with all that stands behind it.
func TestH2spec(t *testing.T) {
	suite := testkit.H2spec(t)
	d := openDoors(t)
	for name, more := range map[string]struct{ args, deviating []string }{
		"TLS": {[]string{"-t", "-k"}, nil}, "clear": {nil, []string{inTheClear}},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.Clone(more.deviating)
			for deviation := range deviations {
				want = append(want, deviation)
			}
			slices.Sort(want)
			cases, failed := conform(t, suite, append(more.args, "-h", "localhost", "-p", d.port))
			if cases < 140 || !slices.Equal(failed, want) {
				t.Errorf("of %d cases, these failed: %q; want %q", cases, failed, want)
			}
		})
	}
}

// conform runs the suite and returns how many cases it has and the names of those
// that failed.
func conform(t *testing.T, suite string, args []string) (cases int, failed []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.xml")
	out, runErr := exec.CommandContext(testkit.Context(t), suite, append(args, "--strict", "-j", file)...).CombinedOutput()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v, %v\n%s", err, runErr, out)
	}
	var report struct {
		Cases []struct {
			Section string    `xml:"package,attr"`
			Name    string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	testkit.NoError(t, xml.Unmarshal(text, &report))
	for _, c := range report.Cases {
		if c.Failure != nil || c.Error != nil || c.Skipped != nil {
			failed = append(failed, c.Section+": "+c.Name)
		}
	}
	slices.Sort(failed)
	return len(report.Cases), failed
}
