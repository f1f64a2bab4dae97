package config

import (
	"fmt"
	"slices"
	"strings"

	"avsproxy/internal/suggest"
)

// decoder gathers what is wrong while a file is taken apart.
type decoder struct {
	file      string
	getenv    func(string) string
	environ   []string // the process's, before secrets are taken out of it
	issues    Issues
	needs     []need
	variables []string // that secrets are read from

	routes      []*table // as Config.Routes
	credentials map[string]*table

	consoleListen position
}

func (d *decoder) report(at position, message, hint string) {
	d.issues = append(d.issues, d.issue(at, message, hint))
}

func (d *decoder) issue(at position, message, hint string) Issue {
	return Issue{File: d.file, Line: at.line, Key: strings.Map(printable, at.name), Message: message, Hint: hint}
}

// table is one table of the file. Its getters complain of wrong types and
// then act as if the key were not there.
type table struct {
	d      *decoder
	at     position
	values map[string]any
	known  []string // the keys asked for
}

func (t *table) report(key, message, hint string) {
	t.d.report(t.at.key(key), message, hint)
}

func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// take gets the value of a key, and complains when it is not a T.
func get[T any](t *table, key, want string) (value T, ok bool) {
	t.known = append(t.known, key)
	raw, found := t.values[key]
	if !found {
		return value, false
	}
	if value, ok = raw.(T); !ok {
		t.report(key, "must be "+want, "")
	}
	return value, ok
}

// text gets a text; "" means the default, as leaving the key out does.
func (t *table) text(key, def string) string {
	return t.textLike(key, def, "text in quotes")
}

func (t *table) textLike(key, def, want string) string {
	if value, _ := get[string](t, key, want); value != "" {
		return value
	}
	return def
}

func (t *table) flag(key string, def bool) bool {
	if value, ok := get[bool](t, key, "true or false, without quotes"); ok {
		return value
	}
	return def
}

// list gets an array whose elements are all of one type.
func list[T any](t *table, key, want string, def []T) []T {
	raw, ok := get[[]any](t, key, want)
	if !ok {
		return def
	}
	items := make([]T, len(raw))
	good := true
	for i, element := range raw {
		if items[i], ok = element.(T); !ok {
			t.d.report(t.at.key(key).item(i), "must be "+want, "")
			good = false
		}
	}
	if !good {
		return def
	}
	return items
}

func (t *table) texts(key string, def []string) []string {
	return list(t, key, `a list of texts, like ["one", "two"]`, def)
}

func (t *table) numbers(key string, def []int) []int {
	if !t.has(key) {
		t.known = append(t.known, key)
		return def
	}
	wide := list[int64](t, key, "a list of numbers, like [401, 403]", nil)
	numbers := make([]int, len(wide))
	for i, n := range wide {
		numbers[i] = int(n)
	}
	return numbers
}

// pairs gets a table of texts; nil when there is none.
func (t *table) pairs(key string) map[string]string {
	inner := t.sub(key, `a table of texts, like { name = "value" }`)
	if !t.has(key) {
		return nil
	}
	pairs := map[string]string{}
	for name := range inner.values {
		value, _ := get[string](inner, name, "text in quotes")
		pairs[name] = value
	}
	return pairs
}

// sub gets a table; an empty one when there is none.
func (t *table) sub(key, want string) *table {
	values, _ := get[map[string]any](t, key, want)
	return &table{d: t.d, at: t.at.key(key), values: values}
}

// oneOf gets one of a few words. It is "" when the file has something else.
func (t *table) oneOf(key, def string, allowed []string) string {
	value := t.text(key, def)
	_, isText := t.values[key].(string)
	switch {
	case t.has(key) && !isText: // has its issue
	case slices.Contains(allowed, value) || value == def:
		return value
	default:
		t.report(key, "is not one of the allowed values", suggestion(value, allowed)+"allowed: "+quoted(allowed))
	}
	return ""
}

// require complains of a key that is not there or empty. A value of the wrong
// type has its issue already.
func (t *table) require(key, hint string) {
	raw, found := t.values[key]
	switch {
	case !found:
		t.report(key, "is missing", hint)
	case raw == "":
		t.report(key, "is empty", hint)
	}
}

// finish complains of the keys that nobody asked for.
func (t *table) finish() {
	for key := range t.values {
		if slices.Contains(t.known, key) {
			continue
		}
		hint := "known here: " + strings.Join(t.known, ", ")
		if word := suggest.Nearest(key, t.known); word != "" {
			hint = fmt.Sprintf("did you mean %q?", word)
		}
		t.report(key, "is not a known setting", hint)
	}
}

func suggestion(written string, known []string) string {
	if word := suggest.Nearest(written, known); word != "" {
		return fmt.Sprintf("did you mean %q? ", word)
	}
	return ""
}

func quoted(words []string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", word)
	}
	return b.String()
}
