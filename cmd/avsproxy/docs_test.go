package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/testkit"
)

// TestExamplesInTheDocsAreValid reads each TOML example of the README and of docs/
// as configuration, where need be with a route that makes it whole.
func TestExamplesInTheDocsAreValid(t *testing.T) {
	pages := testkit.Must(filepath.Glob("../../docs/*.md"))(t)
	examples := 0
	for _, page := range append(pages, "../../README.md") {
		text := testkit.Must(os.ReadFile(page))(t)
		for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			examples++
			example := block[1]
			if !strings.Contains(example, "[[route]]") {
				example += "\n[[route]]\nname = \"example\"\nupstream = \"https://api.example.com\"\n"
			}
			if !strings.Contains(example, "[credential.") {
				example += "\n[credential.alexa]\ngrant = \"static\"\ntoken = \"x\"\n"
			}
			if _, err := config.Parse(filepath.Base(page), []byte(example), func(string) string { return "set" }); err != nil {
				t.Errorf("%v\nin\n%s", err, example)
			}
		}
	}
	if examples < 6 {
		t.Errorf("only %d examples were found", examples)
	}
}
