// Package filter is the language in which people say which exchanges they want to see, on the
// inspector's page, with 'avsproxy tail' and 'har', and in the API.
//
//	status:>=400 method:POST,PUT route:avs -host:b.example body:"not found" header:x-id took:>1s /v[12]/ word
//
// All terms must hold; a minus turns one round. A word, a text in quotes and a /regular expression/ are
// looked for in what a list shows of an exchange. Only regular expressions mind the case.
package filter

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"avsproxy/internal/capture"
	"avsproxy/internal/suggest"
)

// A Filter says which exchanges to show. The zero value shows all.
type Filter struct {
	terms []term
	own   bool // a term names what the proxy does by itself
}

// A term is one condition. record is called by those that need more than the summary.
type term struct {
	not    bool
	costly bool // it needs the record
	own    bool // it is about what the proxy does by itself
	holds  func(s *capture.Summary, record func() *capture.Record) bool
}

// An Error says what is wrong with a filter.
type Error struct {
	At   int // the byte at which the term begins
	Text string
	Hint string
}

// Error names the place.
func (e *Error) Error() string { return fmt.Sprintf("the filter, at %d: %s", e.At+1, e.Text) }

// Keys are the keys of terms, with what they take, in the order of the alphabet.
func Keys() []string { return slices.Sorted(maps.Keys(keys)) }

// Parse reads a filter. The error is an [*Error].
func Parse(text string) (Filter, error) {
	var f Filter
	for at := 0; ; {
		at += len(text[at:]) - len(strings.TrimLeft(text[at:], " \t"))
		if at == len(text) {
			break
		}
		word, err := cutTerm(text[at:])
		var t term
		if err == nil {
			t, err = parseTerm(word)
		}
		if err != nil {
			err.At = at
			return Filter{}, err
		}
		f.terms = append(f.terms, t)
		f.own = f.own || t.own
		at += len(word)
	}
	slices.SortStableFunc(f.terms, func(a, b term) int { return rank(a) - rank(b) })
	return f, nil
}

// rank puts those terms last that cost most.
func rank(t term) int {
	if t.costly {
		return 1
	}
	return 0
}

// cutTerm returns the first term: up to a space that is in no quotes and in no regular expression.
func cutTerm(text string) (string, *Error) {
	if n := regexpEnd(text); n > 0 {
		return text[:n], nil
	}
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && isSpace(c):
			return text[:i], nil
		}
	}
	if quoted {
		return "", &Error{Text: "a quotation mark is missing", Hint: `put texts with spaces in "quotes"`}
	}
	return text, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// regexpEnd is where a regular expression ends that the text begins with: behind a slash that ends a word. 0 = it begins
// with none.
func regexpEnd(text string) int {
	start := len(text) - len(strings.TrimLeft(text, "-"))
	if !strings.HasPrefix(text[start:], "/") {
		return 0
	}
	for i := start + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '/' && i > start+1 && (i+1 == len(text) || isSpace(text[i+1])):
			return i + 1
		}
	}
	return 0
}

func parseTerm(word string) (t term, err *Error) {
	if rest, ok := strings.CutPrefix(word, "-"); ok && rest != "" {
		t, err = parseTerm(rest)
		t.not = !t.not
		return t, err
	}
	if len(word) > 2 && word[0] == '/' && word[len(word)-1] == '/' {
		return parseRegexp(word[1 : len(word)-1])
	}
	key, value, ok := strings.Cut(word, ":")
	if parse := keys[strings.ToLower(key)]; ok && parse != nil {
		value, err := unquoted(value)
		if err == nil && value == "" {
			err = &Error{Text: key + ": has no value", Hint: "write it behind the colon, without a space"}
		}
		if err != nil {
			return t, err
		}
		return parse(value)
	}
	if near := suggest.Nearest(strings.ToLower(key), Keys()); ok && near != "" {
		return t, &Error{Text: fmt.Sprintf("there is no key %q", key), Hint: fmt.Sprintf("did you mean %s:? The keys are %s", near, strings.Join(Keys(), ", "))}
	}
	text, err := unquoted(word)
	if err != nil {
		return t, err
	}
	return onText(func(s *capture.Summary) string { return Words(s) }, text), nil
}

// unquoted takes the quotes away, within which \" and \\ are those characters.
func unquoted(text string) (string, *Error) {
	inner, ok := strings.CutPrefix(text, `"`)
	if !ok {
		return text, nil
	}
	if inner, ok = strings.CutSuffix(inner, `"`); !ok {
		return "", &Error{Text: "something stands behind a quotation mark", Hint: "put a space between two terms"}
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(inner), nil
}

func parseRegexp(text string) (term, *Error) {
	pattern, err := regexp.Compile(text)
	if err != nil {
		return term{}, &Error{Text: "the regular expression cannot be read: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "), Hint: `put a text with slashes in "quotes"`}
	}
	return onSummary(func(s *capture.Summary) bool { return pattern.MatchString(Words(s)) }), nil
}

// Shows reports whether the filter shows an exchange. record returns all that is known of it, nil where
// it is forgotten; only terms about headers and bodies ask for it.
func (f Filter) Shows(s *capture.Summary, record func() *capture.Record) bool {
	for _, t := range f.terms {
		if t.holds(s, record) == t.not {
			return false
		}
	}
	return true
}

// NamesOwn reports whether a term is about what the proxy does by itself. Who does not name that does not
// want to see it, as a rule.
func (f Filter) NamesOwn() bool { return f.own }

// NeedsRecord reports whether a term looks into headers or bodies.
func (f Filter) NeedsRecord() bool {
	return slices.ContainsFunc(f.terms, func(t term) bool { return t.costly })
}

func onSummary(holds func(*capture.Summary) bool) term {
	return term{holds: func(s *capture.Summary, _ func() *capture.Record) bool { return holds(s) }}
}

func onRecord(holds func(*capture.Record) bool) term {
	return term{costly: true, holds: func(_ *capture.Summary, record func() *capture.Record) bool {
		r := record()
		return r != nil && holds(r)
	}}
}

func onText(of func(*capture.Summary) string, text string) term {
	text = strings.ToLower(text)
	return onSummary(func(s *capture.Summary) bool { return strings.Contains(strings.ToLower(of(s)), text) })
}
