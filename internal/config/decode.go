package config

import (
	"fmt"
	"slices"
	"strings"
)

// decoder gathers what is wrong while a file is taken apart.
type decoder struct {
	file       string
	getenv     func(string) string
	environ    []string // the process's, before secrets are taken out of it
	complaints Complaints
	needs      []need
	variables  []string // that secrets are read from

	routes      []*table // as Config.Routes
	credentials map[string]*table

	consoleListen place
}

func (d *decoder) complain(at place, say, hint string) {
	d.complaints = append(d.complaints, d.complaint(at, say, hint))
}

func (d *decoder) complaint(at place, say, hint string) Complaint {
	return Complaint{File: d.file, Line: at.line, Key: strings.Map(printable, at.name), Say: say, Hint: hint}
}

// table is one table of the file. Its getters complain of wrong types and
// then act as if the key were not there.
type table struct {
	d      *decoder
	at     place
	values map[string]any
	known  []string // the keys asked for
}

func (t *table) complain(key, say, hint string) {
	t.d.complain(t.at.key(key), say, hint)
}

func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// take gets the value of a key, and complains when it is not a T.
func take[T any](t *table, key, want string) (value T, ok bool) {
	t.known = append(t.known, key)
	raw, found := t.values[key]
	if !found {
		return value, false
	}
	if value, ok = raw.(T); !ok {
		t.complain(key, "must be "+want, "")
	}
	return value, ok
}

// text gets a text; "" means the default, as leaving the key out does.
func (t *table) text(key, otherwise string) string {
	return t.textLike(key, otherwise, "text in quotes")
}

func (t *table) textLike(key, otherwise, want string) string {
	if value, _ := take[string](t, key, want); value != "" {
		return value
	}
	return otherwise
}

func (t *table) flag(key string, otherwise bool) bool {
	if value, ok := take[bool](t, key, "true or false, without quotes"); ok {
		return value
	}
	return otherwise
}

// list gets an array whose elements are all of one type.
func list[T any](t *table, key, want string, otherwise []T) []T {
	raw, ok := take[[]any](t, key, want)
	if !ok {
		return otherwise
	}
	items := make([]T, len(raw))
	good := true
	for i, element := range raw {
		if items[i], ok = element.(T); !ok {
			t.d.complain(t.at.key(key).item(i), "must be "+want, "")
			good = false
		}
	}
	if !good {
		return otherwise
	}
	return items
}

func (t *table) texts(key string, otherwise []string) []string {
	return list(t, key, `a list of texts, like ["one", "two"]`, otherwise)
}

func (t *table) numbers(key string, otherwise []int) []int {
	if !t.has(key) {
		t.known = append(t.known, key)
		return otherwise
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
		value, _ := take[string](inner, name, "text in quotes")
		pairs[name] = value
	}
	return pairs
}

// sub gets a table; an empty one when there is none.
func (t *table) sub(key, want string) *table {
	values, _ := take[map[string]any](t, key, want)
	return &table{d: t.d, at: t.at.key(key), values: values}
}

// oneOf gets one of a few words. It is "" when the file has something else.
func (t *table) oneOf(key, otherwise string, allowed []string) string {
	value := t.text(key, otherwise)
	_, isText := t.values[key].(string)
	switch {
	case t.has(key) && !isText: // has its complaint
	case slices.Contains(allowed, value) || value == otherwise:
		return value
	default:
		t.complain(key, "is not one of the allowed values", meant(value, allowed)+"allowed: "+quoted(allowed))
	}
	return ""
}

// require complains of a key that is not there or empty. A value of the wrong
// type has its complaint already.
func (t *table) require(key, hint string) {
	raw, found := t.values[key]
	switch {
	case !found:
		t.complain(key, "is missing", hint)
	case raw == "":
		t.complain(key, "is empty", hint)
	}
}

// finish complains of the keys that nobody asked for.
func (t *table) finish() {
	for key := range t.values {
		if slices.Contains(t.known, key) {
			continue
		}
		hint := "known here: " + strings.Join(t.known, ", ")
		if word := nearest(key, t.known); word != "" {
			hint = fmt.Sprintf("did you mean %q?", word)
		}
		t.complain(key, "is not a known setting", hint)
	}
}

func meant(written string, known []string) string {
	if word := nearest(written, known); word != "" {
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
