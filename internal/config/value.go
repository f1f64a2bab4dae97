package config

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"avsproxy/tokens"
)

// span gets a duration; "" means the default.
func (t *table) span(key string, otherwise time.Duration) time.Duration {
	value := t.textLike(key, "", `text in quotes, like "30s"`)
	if value == "" {
		return otherwise
	}
	span, err := time.ParseDuration(value)
	if err != nil || span < 0 {
		t.complain(key, "is not a length of time", `write a number with its unit, like "30s", "4m" or "1h30m"`)
		return otherwise
	}
	return span
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
		value, _ := take[string](t, key, `text in quotes, { env = "NAME" } or { file = "/path" }`)
		s.text = tokens.Secret(value)
		return s
	}
	t.known = append(t.known, key)
	inner := &table{d: t.d, at: t.at.key(key), values: raw}
	env, file := inner.text("env", ""), inner.text("file", "")
	if before := len(t.d.complaints); inner.checkSource() == before {
		s.env, s.file = env, file
	}
	return s
}

// checkSource wants exactly one source that this version can read. It gives
// the number of complaints so far.
func (t *table) checkSource() int {
	for _, key := range []string{"command", "keyring"} {
		if t.has(key) {
			t.known = append(t.known, key)
			t.complain(key, "is not supported by this version", `use { env = "NAME" } or { file = "/path" }`)
		}
	}
	t.finish()
	if t.has("env") && t.has("file") {
		t.d.complain(t.at, "has two sources", "keep either env or file")
	} else if len(t.values) == 0 {
		t.d.complain(t.at, "has no source", `write { env = "NAME" } or { file = "/path" }`)
	}
	t.checkName()
	return len(t.d.complaints)
}

// checkName also keeps a secret that was pasted in the place of its name from
// being printed later as that name.
func (t *table) checkName() {
	if t.values["file"] == "" {
		t.complain("file", "is empty", "write the path of the file that holds the secret")
	}
	name, isText := t.values["env"].(string)
	if isText && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
		t.complain("env", "is not the name of an environment variable", "write the name of the variable here, not the secret itself")
	}
}
