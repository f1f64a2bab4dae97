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

// inTheClear fails where the first bytes are not TLS: an invalid preface is a request of
// HTTP/1.1 there, which is answered as one.
const inTheClear = "http2/3.5: Sends invalid connection preface"

// TestH2spec runs the conformance suite github.com/summerwind/h2spec on the proxy's
// own listener, with all that stands behind it.
func TestH2spec(t *testing.T) {
	suite := testkit.H2spec(t)
	d := openDoors(t)
	for name, more := range map[string]struct{ args, deviating []string }{
		"TLS": {[]string{"-t", "-k"}, nil}, "clear": {nil, []string{inTheClear}},
	} {
		t.Run(name, func(t *testing.T) {
			cases, failed := conform(t, suite, append(more.args, "-h", "localhost", "-p", d.port))
			if cases < 140 || !slices.Equal(failed, more.deviating) {
				t.Errorf("of %d cases, these failed: %q; want %q", cases, failed, more.deviating)
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
