package testkit

import "iter"

// Fields yields header fields: a name, its value, the next name, and so on.
func Fields(pairs ...string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}
