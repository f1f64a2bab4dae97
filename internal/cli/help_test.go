package cli

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/spf13/cobra"
)

// each calls f for all commands that people see, but those of the library's.
func each(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			each(sub, f)
		}
	}
}

func helpedCommands() *cobra.Command {
	return newCommands(func(string) string { return "" }, nil, testkit.NewBuffer(), testkit.NewBuffer()).rootCommand()
}

// Examples begin with two spaces, name a command that there is, and only flags that it has.
func TestEveryCommandHasExamples(t *testing.T) {
	root := helpedCommands()
	each(root, func(cmd *cobra.Command) {
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			_, typed, ok := strings.Cut(line, "avsproxy ")
			if !strings.HasPrefix(line, "  ") || !ok && !strings.Contains(line, "curl ") {
				t.Errorf("%s: %q", cmd.CommandPath(), line)
			}
			found, rest, err := root.Find(strings.Fields(typed))
			if err != nil {
				t.Errorf("%q: %v", line, err)
			}
			for _, word := range rest {
				if word == "--" {
					break
				}
				if name, isFlag := strings.CutPrefix(word, "--"); isFlag && found.Flags().Lookup(strings.TrimRight(name, `)"`)) == nil && found.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%q: there is no %s", line, word)
				}
			}
		}
	})
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := helpedCommands()
	testkit.NoError(t, writeManual(root, dir))
	pages := testkit.Must(filepath.Glob(filepath.Join(dir, "*.1")))(t)
	count := 0
	each(root, func(*cobra.Command) { count++ })
	if len(pages) < count {
		t.Errorf("%d pages of %d commands", len(pages), count)
	}
	groff := testkit.NeedTool(t, "groff")
	for _, page := range pages {
		cmd := exec.Command(groff, "-man", "-ww", "-Tascii", "-P-cbou", page)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil || said.Len() > 0 || !strings.Contains(string(out), "NAME") {
			t.Errorf("%s: %v %s\n%.300s", page, err, &said, out)
		}
	}
}
