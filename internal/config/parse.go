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
	return parse(file, text, getenv, readAll, Overrides{})
}

func readAll(SecretRef) bool { return true }

// parse is Parse. Where reads is nil, it opens no file and starts no program.
func parse(file string, text []byte, getenv func(string) string, reads func(SecretRef) bool, over Overrides) (*Config, error) {
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
	over.apply(values)
	d := &decoder{file: file, getenv: getenv, environ: os.Environ(), reads: reads}
	places := locate(text)
	c := d.config(&table{d: d, at: position{place: places}, values: values})
	if len(d.issues) > 0 {
		over.name(d.issues)
		return nil, d.issues.sorted()
	}
	c.Lines = map[string]int{}
	settingLines(places, "", c.Lines)
	return c, nil
}

// apply changes the values of a file, before they are checked.
func (o Overrides) apply(values map[string]any) {
	if o.Sandbox {
		values["sandbox"] = true
	}
	if o.Console != "" {
		override(values, "console", o.Console)
	}
	if len(o.Listen) > 0 {
		var list []any
		for _, address := range o.Listen {
			list = append(list, address)
		}
		override(values, "proxy", list)
	}
}

// override sets listen of a table. What is no table is left to be refused.
func override(values map[string]any, name string, listen any) {
	if values[name] == nil {
		values[name] = map[string]any{}
	}
	if table, ok := values[name].(map[string]any); ok {
		table["listen"] = listen
	}
}

// name has issues be about the flag that they come from.
func (o Overrides) name(issues Issues) {
	for i := range issues {
		switch key := issues[i].Key; {
		case key == "proxy.listen" && len(o.Listen) > 0:
			issues[i] = Issue{File: "--listen", Message: issues[i].Message, Hint: issues[i].Hint}
		case key == "console.listen" && o.Console != "":
			issues[i] = Issue{File: "--console-listen", Message: issues[i].Message, Hint: issues[i].Hint}
		}
	}
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
