package httpexchange

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Fields implements [avsproxy/internal/exchange.Fields] by net/http's header.
type Fields http.Header

// Values returns the values of a field, in their order.
func (f Fields) Values(name string) []string { return http.Header(f).Values(name) }

// Add adds a value to a field.
func (f Fields) Add(name, value string) { http.Header(f).Add(name, value) }

// Has reports whether there is a field of that name.
func (f Fields) Has(name string) bool { return len(http.Header(f).Values(name)) > 0 }

// Del removes a field.
func (f Fields) Del(name string) {
	delete(f, http.CanonicalHeaderKey(name))
	for other := range f { // what net/http did not make canonical
		if strings.EqualFold(other, name) {
			delete(f, other)
		}
	}
}

// Each calls yield for all fields in the order of their names: net/http does not know that of
// the wire.
func (f Fields) Each(yield func(name, value string) bool) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		for _, value := range f[name] {
			if !yield(name, value) {
				return
			}
		}
	}
}

// DeleteFunc removes the values for which del reports true.
func (f Fields) DeleteFunc(del func(name, value string) bool) {
	for name, values := range f {
		kept := slices.DeleteFunc(values, func(value string) bool { return del(name, value) })
		if len(kept) == 0 {
			delete(f, name)
		} else {
			f[name] = kept
		}
	}
}
