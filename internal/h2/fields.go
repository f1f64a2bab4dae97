package h2

import (
	"cmp"
	"slices"
	"strings"
)

// A Field is a header field. Its name is in lower case.
type Field struct {
	Name, Value string
	// Spelling is the name as it came over HTTP/1.x; empty = as Name.
	Spelling string
	// Sensitive fields go into no table of either side (RFC 7541 section 7.1.3).
	Sensitive bool

	valid bool // it was checked; false = it has to be
}

// NewField returns a field whose name came in any case.
func NewField(name, value string) Field {
	f := Field{Name: strings.ToLower(name), Value: value}
	if f.Name != name {
		f.Spelling = name
	}
	f.Sensitive = f.Name == "cookie" && len(value) < 20
	return f
}

// size is that of RFC 7541 section 4.1, and of RFC 9113 section 6.5.2.
func (f *Field) size() int { return len(f.Name) + len(f.Value) + 32 }

// check notes whether the field is one that may be sent.
func (f *Field) check() {
	if f.isPseudo() {
		f.valid = validValue(f.Value)
	} else {
		f.valid = checkField(f) == nil
	}
}

func (f *Field) isPseudo() bool { return len(f.Name) > 0 && f.Name[0] == ':' }

// Fields are the regular fields of a head in the order of the wire. The methods are those of
// [avsproxy/internal/exchange.Fields].
type Fields []Field

// Values returns the values of a field, in their order.
func (f *Fields) Values(name string) (values []string) {
	for i := range *f {
		if field := &(*f)[i]; sameName(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// Has reports whether there is a field of that name.
func (f *Fields) Has(name string) bool {
	for i := range *f {
		if sameName((*f)[i].Name, name) {
			return true
		}
	}
	return false
}

// Del removes a field.
func (f *Fields) Del(name string) {
	if f.Has(name) {
		f.DeleteFunc(func(other, _ string) bool { return sameName(other, name) })
	}
}

// Each calls yield for all fields in the order of the wire; see [iter.Seq2].
func (f *Fields) Each(yield func(name, value string) bool) {
	for i := range *f {
		field := &(*f)[i]
		if !yield(cmp.Or(field.Spelling, field.Name), field.Value) {
			return
		}
	}
}

// DeleteFunc removes the fields for which del reports true.
func (f *Fields) DeleteFunc(del func(name, value string) bool) {
	*f = slices.DeleteFunc(*f, func(field Field) bool { return del(field.Name, field.Value) })
}

// Add adds a field behind all others.
func (f *Fields) Add(name, value string) {
	lower := "authorization" // as most often
	if name != "Authorization" {
		lower = strings.ToLower(name)
	}
	*f = append(*f, Field{Name: lower, Value: value})
}

// sameName compares a name of HTTP/2's, which is in lower case, with one in any case.
func sameName(lower, name string) bool {
	return len(lower) == len(name) && len(name) > 0 && lower[0]|0x20 == name[0]|0x20 && strings.EqualFold(lower, name)
}
