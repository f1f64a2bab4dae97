package testkit

import (
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestReportSaysWhatIsMissingAndHowToGetIt(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("PATH", "")
	t.Setenv("AVSPROXY_HEAVY", "")
	t.Setenv("AVSPROXY_TEST_PLACE", "")
	for name, test := range map[string]func(t *testing.T){
		"one tool": func(t *testing.T) { NeedTool(t, "curl") },
		"again":    func(t *testing.T) { NeedTool(t, "curl", "chromium") },
		"unknown":  func(t *testing.T) { NeedTool(t, "no-such-tool") },
		"variable": func(t *testing.T) { NeedVariable(t, "AVSPROXY_TEST_PLACE", "npm install it") },
		"heavy":    func(t *testing.T) { Heavy(t) },
	} {
		t.Run(name, func(t *testing.T) {
			test(t)
			t.Error("it was not skipped")
		})
	}
	lines := skippedLines()
	clear(skipped.tests) // or they are reported as tests of this package
	want := []string{
		"1 test skipped: AVSPROXY_TEST_PLACE is not set (npm install it)",
		"1 test skipped: heavy (AVSPROXY_HEAVY=1 go test ./...)",
		"1 test skipped: no-such-tool is missing (install it)",
		"2 tests skipped: curl is missing (Debian, Ubuntu: apt install curl)",
	}
	for i := range want {
		want[i] = "avsproxy/internal/testkit: " + want[i] + "\n"
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%swant\n%s", strings.Join(lines, ""), strings.Join(want, ""))
	}
}

func TestToolsHaveTheirPackages(t *testing.T) {
	for line := range strings.Lines(tools) {
		if len(strings.Fields(line)) != 2 {
			t.Errorf("%q is not a tool and its package", line)
		}
	}
}
