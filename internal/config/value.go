package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"avsproxy/tokens"
)

// span gets a duration; "" means the default.
func (t *table) span(key string, otherwise time.Duration) time.Duration {
	value := t.textLike(key, "", `text in quotes, like "30s"`)
	if value == "" {
		return otherwise
	}
	span, err := parseSpan(value)
	if err != nil || span < 0 {
		t.complain(key, "is not a length of time", `write a number with its unit, like "30s", "4m", "1h30m" or "365d"`)
		return otherwise
	}
	return span
}

// parseSpan knows days too, whole ones and up to 89 years of them.
func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// size gets a number of bytes; "" means the default.
func (t *table) size(key string, otherwise int64) int64 {
	value := t.textLike(key, "", `text in quotes, like "64KiB"`)
	if value == "" {
		return otherwise
	}
	size, ok := parseSize(value)
	if !ok {
		t.complain(key, "is not a size", `write a whole number with its unit, like "64KiB" or "32MiB"; units: B, KB, KiB, MB, MiB, GiB`)
		return otherwise
	}
	return size
}

func parseSize(text string) (int64, bool) {
	parts := regexp.MustCompile(`^(\d+) ?([A-Za-z]+)$`).FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	units := map[string]int64{"B": 1, "KB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20, "GiB": 1 << 30}
	unit, known := units[parts[2]]
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if !known || err != nil || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// secret gets a secret: its text, or a table that says where it is.
func (t *table) secret(key string) Secret {
	s := Secret{key: t.at.key(key).name, getenv: t.d.getenv}
	raw, isTable := t.values[key].(map[string]any)
	if !isTable {
		value, _ := take[string](t, key, "text in quotes, "+sourceForms())
		t.refusePlaceholder(key, value)
		s.text = tokens.Secret(value)
		return s
	}
	t.known = append(t.known, key)
	before := len(t.d.complaints)
	inner := &table{d: t.d, at: t.at.key(key), values: raw}
	found := Secret{key: s.key, getenv: s.getenv, environ: t.d.environ, env: inner.text("env", ""), file: inner.text("file", ""),
		command: inner.texts("command", nil), keyring: inner.text("keyring", "")}
	if inner.checkSource(); len(t.d.complaints) > before {
		return s
	}
	if found.env != "" {
		t.d.variables = append(t.d.variables, found.env)
	}
	return found
}

func sourceForms() string {
	return `{ env = "NAME" }, { file = "/path" }, { command = ["prog", "arg"] } or { keyring = "service/user" }`
}

// checkSource wants exactly one source.
func (t *table) checkSource() {
	sources := 0
	for _, key := range t.known {
		if t.has(key) {
			sources++
		}
	}
	t.finish()
	if sources > 1 {
		t.d.complain(t.at, "has two sources", "keep one of "+strings.Join(t.known, ", "))
	} else if len(t.values) == 0 {
		t.d.complain(t.at, "has no source", "write "+sourceForms())
	}
	t.checkPlace()
}

// checkPlace also keeps a secret that was pasted in the place of its name from
// being printed later as that name.
func (t *table) checkPlace() {
	if t.values["file"] == "" {
		t.complain("file", "is empty", "write the path of the file that holds the secret")
	}
	name, isText := t.values["env"].(string)
	if isText && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
		t.complain("env", "is not the name of an environment variable", "write the name of the variable here, not the secret itself")
	}
	entry, isText := t.values["keyring"].(string)
	if service, user := splitEntry(entry); isText && (service == "" || user == "") {
		t.complain("keyring", "does not name an entry", `write "service/user" as the keyring has them, not the secret itself`)
	}
	t.checkProgram("command")
}

// checkProgram wants a list to begin with a program, if there is one.
func (t *table) checkProgram(key string) {
	list, isList := t.values[key].([]any)
	if isList && (len(list) == 0 || list[0] == "") {
		t.complain(key, "names no program", `write it like ["prog", "arg"]`)
	}
}
