package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"avsproxy/tokens"
)

// duration gets a duration; "" means the default.
func (t *table) duration(key string, def time.Duration) time.Duration {
	value := t.textLike(key, "", `text in quotes, like "30s"`)
	if value == "" {
		return def
	}
	duration, err := ParseDuration(value)
	if err != nil || duration < 0 {
		t.report(key, "is not a length of time", `write a number with its unit, like "30s", "4m", "1h30m" or "365d"`)
		return def
	}
	return duration
}

// ParseDuration is [time.ParseDuration], and also takes whole days, such as "365d", up to 89 years.
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// size gets a number of bytes; "" means the default.
func (t *table) size(key string, def int64) int64 {
	value := t.textLike(key, "", `text in quotes, like "64KiB"`)
	if value == "" {
		return def
	}
	size, ok := parseSize(value)
	if !ok {
		t.report(key, "is not a size", `write a whole number with its unit, like "64KiB" or "32MiB"; units: B, KB, KiB, MB, MiB, GiB`)
		return def
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

// secrets gets a list of secrets.
func (t *table) secrets(key string) (all []SecretRef) {
	list, _ := get[[]any](t, key, "a list of secrets")
	for i, raw := range list {
		at := t.at.key(key).item(i)
		switch raw.(type) {
		case string, map[string]any:
		default:
			t.reportItem(key, i, "must be text in quotes, "+sourceForms(), "")
			continue
		}
		item := &table{d: t.d, at: at, values: map[string]any{"": raw}} // whose key is ""
		all = append(all, item.secretAt("", at))
	}
	return all
}

// secret gets a secret: its text, or a table that names its source.
func (t *table) secret(key string) SecretRef { return t.secretAt(key, t.at.key(key)) }

func (t *table) secretAt(key string, at position) SecretRef {
	s := SecretRef{key: at.name, getenv: t.d.getenv, environ: t.d.environ}
	raw, isTable := t.values[key].(map[string]any)
	if !isTable {
		value, _ := get[string](t, key, "text in quotes, "+sourceForms())
		t.refusePlaceholder(key, value)
		s.text = tokens.Secret(value)
		if value != "" && t.d.file != "" && !slices.Contains(t.d.secretFiles, t.d.file) {
			t.d.secretFiles = append(t.d.secretFiles, t.d.file)
		}
		return s
	}
	t.known = append(t.known, key)
	before := len(t.d.issues)
	inner := &table{d: t.d, at: at, values: raw}
	found := s
	found.env, found.file = inner.text("env", ""), inner.text("file", "")
	found.command, found.keyring = inner.texts("command", nil), inner.text("keyring", "")
	if inner.checkSource(); len(t.d.issues) > before {
		return s
	}
	if found.env != "" {
		t.d.variables = append(t.d.variables, found.env)
	}
	if found.file != "" {
		t.d.secretFiles = append(t.d.secretFiles, found.file)
	}
	return found
}

func sourceForms() string {
	return `{ env = "NAME" }, { file = "/path" }, { command = ["prog", "arg"] } or { keyring = "service/user" }`
}

// checkSource checks that the table names one source. What may be a secret in the
// place of a name is reported, so that it is not printed as that name later.
func (t *table) checkSource() {
	t.finish()
	sources := slices.DeleteFunc(slices.Clone(t.known), func(key string) bool { return !t.has(key) })
	if len(sources) > 1 {
		t.d.report(t.at, "has two sources", "keep one of "+strings.Join(t.known, ", "))
	} else if len(t.values) == 0 {
		t.d.report(t.at, "has no source", "write "+sourceForms())
	}
	t.reportIf(t.values["file"] == "", "file", "is empty", "write the path of the file that holds the secret")
	name, isText := t.values["env"].(string)
	wrong := isText && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name)
	t.reportIf(wrong, "env", "is not the name of an environment variable", "write the name of the variable here, not the secret itself")
	entry, isText := t.values["keyring"].(string)
	service, user := splitEntry(entry)
	wrong = isText && (service == "" || user == "")
	t.reportIf(wrong, "keyring", "does not name an entry", `write "service/user" as the keyring has them, not the secret itself`)
	t.checkProgram("command")
}

// checkProgram checks that a list, if there is one, begins with a program.
func (t *table) checkProgram(key string) {
	list, isList := t.values[key].([]any)
	t.reportIf(isList && (len(list) == 0 || list[0] == ""), key, "names no program", `write it like ["prog", "arg"]`)
}

// requireReadable reads a secret that is needed at the start: otherwise its first use
// would fail.
func (t *table) requireReadable(key string, s SecretRef) {
	if t.d.reads == nil || !t.d.reads(s) {
		return
	}
	if _, err := s.resolve(); err != nil {
		t.d.reportError(t.at.key(key), fmt.Errorf("%s %w", s.source(), err))
	}
}
