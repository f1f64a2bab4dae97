package testkit

// A FieldList has header fields: a name, its value, the next name, and so on.
type FieldList []string

// Fields returns a list of fields.
func Fields(pairs ...string) FieldList { return pairs }

// Each calls yield for each field, name and value.
func (f FieldList) Each(yield func(name, value string) bool) {
	for i := 0; i < len(f); i += 2 {
		if !yield(f[i], f[i+1]) {
			return
		}
	}
}
