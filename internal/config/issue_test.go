package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected issues")

func home(name string) string {
	return map[string]string{"HOME": "/home/someone", "SET": "value", "TEMPLATE": "{{SECRET}}", "ACCESS": "Atza|value"}[name]
}

// TestIssuesAreCompleteAndExact holds the whole text of what is said
// about each bad file.
func TestIssuesAreCompleteAndExact(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.toml")
	if len(files) < 10 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := testkit.Must(os.ReadFile(file))(t)
			_, err := Parse("config.toml", text, home)
			if err == nil {
				t.Fatal("no issue")
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".txt", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		testkit.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want := testkit.Must(os.ReadFile(file))(t)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", file, diff)
	}
}

// TestOneMistakeOneIssue: a wrong value must not cause issues about what
// would follow from it.
func TestOneMistakeOneIssue(t *testing.T) {
	good := testkit.Must(os.ReadFile("testdata/good/full.toml"))(t)
	for i, line := range strings.Split(string(good), "\n") {
		key, _, found := strings.Cut(line, " = ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		lines := strings.Split(string(good), "\n")
		lines[i] = key + " = 1979-05-27" // no setting is a date
		_, err := Parse("config.toml", []byte(strings.Join(lines, "\n")), home)
		issues, _ := errors.AsType[Issues](err)
		if len(issues) != 1 || issues[0].Line != i+1 {
			t.Errorf("line %d, %s: want one issue there, got:\n%v", i+1, line, err)
		}
	}
}

func TestSyntaxIssuesDoNotQuoteValues(t *testing.T) {
	for _, value := range []string{
		`C4N4RY123`, `0123456789012`, `123456789012345678901234567890`, `1_2__3456`, `"C4N4RY\xZZ"`, `"C4N4RY`, `'C4N4RY`,
		`"""C4N4RY`, `"C4N4RY" "C4N4RY"`, `[C4N4RY]`, `{C4N4RY}`, `{ env = C4N4RY }`, `1979-13-45`, `0xC4N4RY`, `+0xC4N4RY`, `1.C4N4RY`,
		`true C4N4RY`, "\"C4N4RY\x01\"", `"C4N4RY\q"`, `"C4N4RY\ud800"`, `9.C4N4RY`, `1e9999999`,
	} {
		text := "[credential.a]\nclient_secret = " + value + "\n"
		_, err := Parse("config.toml", []byte(text), home)
		if err == nil {
			t.Errorf("%s: no issue", value)
			continue
		}
		said := err.Error()
		if testkit.HasCanary(said) || strings.Contains(said, "123456789") || strings.Contains(said, "1_2") || strings.Contains(said, "1979") {
			t.Errorf("%s: quoted in %q", value, said)
		}
		if !strings.HasPrefix(said, "config.toml:") {
			t.Errorf("%s: no place in %q", value, said)
		}
	}
}

func TestIssuesAreFoundByType(t *testing.T) {
	_, err := Parse("x.toml", []byte("[[route]]"), nil)
	var issues Issues
	if !errors.As(err, &issues) || len(issues) < 2 {
		t.Fatalf("%#v", err)
	}
	if c := issues[0]; c.File != "x.toml" || c.Line != 1 || c.Message == "" {
		t.Errorf("%#v", c)
	}
}
