package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/charset"
	"avsproxy/internal/suggest"
)

// decoder collects the issues of a file.
type decoder struct {
	file      string
	getenv    func(string) string
	environ   []string             // the environment of the process, which may lose its secrets later
	reads     func(SecretRef) bool // which secrets are read; nil: none, and no user is looked up
	issues    Issues
	variables []string // the environment variables that secrets are read from
	// secretFiles are the files that secrets are read from, this one among them.
	secretFiles []string

	routes      []*table // as Config.Routes
	credentials map[string]*table

	consoleListen position
	shareClients  position
}

func (d *decoder) report(at position, message, hint string) {
	d.issues = append(d.issues, Issue{File: d.file, Line: at.line, Key: charset.Printable(at.name), Message: message, Hint: hint})
}

// reportError reports an error whose text is "MESSAGE" or "MESSAGE; HINT".
func (d *decoder) reportError(at position, err error) {
	if err != nil {
		message, hint, _ := strings.Cut(err.Error(), "; ")
		d.report(at, message, hint)
	}
}

// table is one table of the file. Its getters report a value of the wrong type and
// then act as if the key were not there.
type table struct {
	d      *decoder
	at     position
	values map[string]any
	known  []string // the keys that were asked for
}

func (t *table) report(key, message, hint string) {
	t.d.report(t.at.key(key), message, hint)
}

func (t *table) reportIf(wrong bool, key, message, hint string) {
	if wrong {
		t.report(key, message, hint)
	}
}

// reportItem reports an element of an array.
func (t *table) reportItem(key string, i int, message, hint string) {
	t.d.report(t.at.key(key).item(i), message, hint)
}

func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// decode gets the fields of a struct that have a tag toml, which is their key, and
// reports the keys that are not known. Fields have their defaults before. A tag oneof
// has the allowed words.
func (t *table) decode(settings any) {
	v := reflect.ValueOf(settings).Elem()
	for i := range v.NumField() {
		if key, ok := v.Type().Field(i).Tag.Lookup("toml"); ok {
			t.field(key, v.Type().Field(i).Tag.Get("oneof"), v.Field(i).Addr().Interface())
		}
	}
	t.finish()
}

func (t *table) field(key, oneof string, field any) {
	switch field := field.(type) {
	case *string:
		if *field = t.text(key, *field); oneof != "" {
			*field = t.oneOf(key, *field, strings.Fields(oneof))
		}
	case *bool:
		*field = t.flag(key, *field)
	case *int64:
		*field = t.size(key, *field)
	case *time.Duration:
		*field = t.duration(key, *field)
	case *[]string:
		*field = t.texts(key, *field)
	case *[]int:
		*field = t.numbers(key, *field)
	case *map[string]string:
		*field = t.pairs(key)
	case *SecretRef:
		*field = t.secret(key)
	case *[]SecretRef:
		*field = t.secrets(key)
	default:
		panic("config: there is no getter for the type of " + key)
	}
}

// get gets the value of a key, and reports one that is not a T.
func get[T any](t *table, key, want string) (value T, ok bool) {
	t.known = append(t.known, key)
	raw, found := t.values[key]
	if !found {
		return value, false
	}
	value, ok = raw.(T)
	t.reportIf(!ok, key, "must be "+want, "")
	return value, ok
}

// text gets a text; "" means the default, as a missing key does.
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

// list gets an array whose elements have one type.
func list[T any](t *table, key, want string, def []T) []T {
	raw, ok := get[[]any](t, key, want)
	if !ok {
		return def
	}
	items, wrong := make([]T, len(raw)), false
	for i, element := range raw {
		if items[i], ok = element.(T); !ok {
			t.reportItem(key, i, "must be "+want, "")
			wrong = true
		}
	}
	if wrong {
		return def
	}
	return items
}

func (t *table) texts(key string, def []string) []string {
	return list(t, key, `a list of texts, like ["one", "two"]`, def)
}

func (t *table) numbers(key string, def []int) []int {
	wide := list[int64](t, key, "a list of numbers, like [401, 403]", nil)
	if !t.has(key) {
		return def
	}
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
		pairs[name] = inner.text(name, "")
	}
	return pairs
}

// sub gets a table; an empty one when there is none.
func (t *table) sub(key, want string) *table {
	values, _ := get[map[string]any](t, key, want)
	return &table{d: t.d, at: t.at.key(key), values: values}
}

// oneOf returns the value of a key if it is one of the allowed words, or not in the
// file; else "".
func (t *table) oneOf(key, value string, allowed []string) string {
	written, isText := t.values[key].(string)
	if !t.has(key) || written == "" && isText || slices.Contains(allowed, written) {
		return value
	}
	t.reportIf(isText, key, "is not one of the allowed values", suggestion(written, allowed)+"allowed: "+quoted(allowed))
	return ""
}

// require reports a key that is missing or empty, but not one of the wrong type,
// which is reported already.
func (t *table) require(key, hint string) {
	t.reportIf(!t.has(key), key, "is missing", hint)
	t.reportIf(t.values[key] == "", key, "is empty", hint)
}

// finish reports the keys that no getter asked for.
func (t *table) finish() {
	for key := range t.values {
		if slices.Contains(t.known, key) {
			continue
		}
		hint := "known here: " + strings.Join(t.known, ", ")
		if similar := suggestion(key, t.known); similar != "" {
			hint = strings.TrimSuffix(similar, " ")
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
	return `"` + strings.Join(words, `", "`) + `"`
}
