package config

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"avsproxy/internal/charset"

	"github.com/BurntSushi/toml"
)

// Parse checks the text of a configuration. file is for the issues alone. getenv is
// like [os.Getenv]; nil = an empty environment. The error is always [Issues].
func Parse(file string, text []byte, getenv func(string) string) (*Config, error) {
	return parse(file, text, getenv, func(SecretRef) bool { return true })
}

// parse is Parse. Where reads is nil, it opens no file and starts no program.
func parse(file string, text []byte, getenv func(string) string, reads func(SecretRef) bool) (*Config, error) {
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if len(text) > maxFile {
		return nil, Issues{{File: file, Message: "is larger than 256 KiB", Hint: "name the right file with --config FILE"}}
	}
	var values map[string]any
	if _, err := toml.Decode(string(text), &values); err != nil {
		return nil, Issues{syntax(file, err)}
	}
	d := &decoder{file: file, getenv: getenv, environ: os.Environ(), reads: reads}
	c := d.config(&table{d: d, at: position{place: locate(text)}, values: values})
	if len(d.issues) > 0 {
		return nil, d.issues.sorted()
	}
	return c, nil
}

func syntax(file string, err error) Issue {
	wrong, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		return Issue{File: file, Message: "is not TOML"}
	}
	issue := Issue{File: file, Line: wrong.Position.Line, Message: withoutValues(wrong.Message)}
	if regexp.MustCompile(`^[\w.-]+$`).MatchString(wrong.LastKey) {
		issue.Key = wrong.LastKey
	}
	if strings.HasPrefix(issue.Message, "expected value") {
		issue.Hint = `text stands in quotes: name = "value"`
	}
	return issue
}

// withoutValues removes from the parser's message what it quotes of the file, apart
// from single characters and the names of keys.
func withoutValues(message string) string {
	if !strings.HasPrefix(message, "Key '") {
		quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)
		word := regexp.MustCompile(`[\pL\p{Nd}](?s:.*)[\pL\p{Nd}]`)
		message = quoted.ReplaceAllStringFunc(message, func(text string) string {
			if word.MatchString(text) {
				return "..."
			}
			return text
		})
		message = regexp.MustCompile(`\S{16,}`).ReplaceAllString(message, "...")
	}
	message = charset.Printable(strings.TrimSuffix(message, "."))
	if message == "" {
		return "is not TOML"
	}
	return strings.ToLower(message[:1]) + message[1:]
}
