package h2

import (
	"iter"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Fields are the regular fields of a head in the order of the wire. The methods are those of
// [avsproxy/internal/exchange.Fields].
type Fields []hpack.HeaderField

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

// All returns all fields, name and value, in the order of the wire.
func (f *Fields) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range *f {
			if field := &(*f)[i]; !yield(field.Name, field.Value) {
				return
			}
		}
	}
}

// DeleteFunc removes the fields for which del reports true.
func (f *Fields) DeleteFunc(del func(name, value string) bool) {
	*f = slices.DeleteFunc(*f, func(field hpack.HeaderField) bool { return del(field.Name, field.Value) })
}

// Add adds a field behind all others.
func (f *Fields) Add(name, value string) {
	lower := "authorization" // as most often
	if name != "Authorization" {
		lower = strings.ToLower(name)
	}
	*f = append(*f, hpack.HeaderField{Name: lower, Value: value})
}

// sameName compares a name of HTTP/2's, which is in lower case, with one in any case.
func sameName(lower, name string) bool {
	return len(lower) == len(name) && (lower == name || strings.EqualFold(lower, name))
}
