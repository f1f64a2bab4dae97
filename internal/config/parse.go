package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

// Parse checks the text of a configuration. file only names the place in
// issues; getenv is like os.Getenv, nil means an empty environment.
//
// The error is always Issues.
func Parse(file string, text []byte, getenv func(string) string) (*Config, error) {
	c, wrong, needs := parse(file, text, getenv)
	for _, n := range needs {
		wrong = append(wrong, n.issues()...)
	}
	if len(wrong) > 0 {
		return nil, wrong.sorted()
	}
	return c, nil
}

// parse does all of Parse but read the secrets: it opens no file and starts no
// program.
func parse(file string, text []byte, getenv func(string) string) (c *Config, wrong Issues, needs []need) {
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if len(text) > maxFile {
		return nil, Issues{{File: file, Message: "is larger than 256 KiB", Hint: "name the right file with --config FILE"}}, nil
	}
	var values map[string]any
	if _, err := toml.Decode(string(text), &values); err != nil {
		return nil, Issues{syntax(file, err)}, nil
	}
	d := &decoder{file: file, getenv: getenv, environ: os.Environ()}
	c = d.config(&table{d: d, at: position{lines: locate(string(text)), line: 1}, values: values})
	return c, d.issues, d.needs
}

func syntax(file string, err error) Issue {
	c := Issue{File: file, Message: "is not TOML"}
	wrong, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		return c
	}
	c.Line = wrong.Position.Line
	c.Message = withoutValues(wrong.Message)
	if plainKey(wrong.LastKey) {
		c.Key = wrong.LastKey
	}
	if strings.HasPrefix(c.Message, "expected value") {
		c.Hint = `text stands in quotes: name = "value"`
	}
	return c
}

func plainKey(key string) bool {
	return regexp.MustCompile(`^[\w.-]+$`).MatchString(key)
}

// withoutValues takes from the parser's message what it quotes of the file,
// apart from single characters and the names of keys.
func withoutValues(message string) string {
	if !strings.HasPrefix(message, "Key '") {
		quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)
		message = quoted.ReplaceAllStringFunc(message, withoutWord)
		message = regexp.MustCompile(`\S{16,}`).ReplaceAllString(message, "...")
	}
	message = strings.Map(printable, strings.TrimSuffix(message, "."))
	if message == "" {
		return "is not TOML"
	}
	return strings.ToLower(message[:1]) + message[1:]
}

func withoutWord(quoted string) string {
	letters := 0
	for _, r := range quoted {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters++
		}
	}
	if letters > 1 {
		return "..."
	}
	return quoted
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
