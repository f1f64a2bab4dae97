package capture

import (
	"encoding/json"
	"slices"
	"strings"
)

// A Field is a header or trailer field. Lists of fields keep their order and
// duplicates. In JSON it is ["Name","value"].
type Field struct {
	Name, Value string
	Masked      bool // a secret in the name or value was replaced
	Cut         bool // the name or value was too long to keep, and ends in "…"
}

// Same reports whether name and value are equal.
func (f Field) Same(other Field) bool { return f.Name == other.Name && f.Value == other.Value }

// MarshalJSON writes the name and value.
func (f Field) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]string{f.Name, f.Value})
}

// UnmarshalJSON reads the name and value.
func (f *Field) UnmarshalJSON(text []byte) error {
	var pair [2]string
	err := json.Unmarshal(text, &pair)
	*f = Field{Name: pair[0], Value: pair[1]}
	return err
}

// A Message is a request or a response without its first line. In JSON headers_masked
// lists the indices of the header fields that are masked.
type Message struct {
	Header  []Field `json:"headers"`
	Trailer []Field `json:"trailers"`
	// Cut is set if there were too many header or trailer fields, or too long ones, to
	// keep.
	Cut  bool `json:"headers_cut,omitempty"`
	Body Body `json:"body"`

	coding string // of the body; empty means none
}

// MarshalJSON writes the message.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	var masked []int
	for i, f := range m.Header {
		if f.Masked {
			masked = append(masked, i)
		}
	}
	return json.Marshal(struct {
		plain
		Masked []int `json:"headers_masked,omitempty"`
	}{plain(m), masked})
}

// UnmarshalJSON reads the message.
func (m *Message) UnmarshalJSON(text []byte) error {
	type plain Message
	in := struct {
		*plain
		Masked []int `json:"headers_masked"`
	}{plain: (*plain)(m)}
	err := json.Unmarshal(text, &in)
	for i := range m.Header {
		m.Header[i].Masked = slices.Contains(in.Masked, i)
	}
	return err
}

// FieldValue returns the first value of a field, "" if there is none.
func FieldValue(fields []Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// codingOf is the Content-Encoding (RFC 9110 section 8.4), "" for none.
func codingOf(header []Field) string {
	var codings []string
	for _, f := range header {
		if strings.EqualFold(f.Name, "Content-Encoding") {
			codings = append(codings, strings.ToLower(strings.TrimSpace(f.Value)))
		}
	}
	if coding := strings.Join(codings, ","); coding != "identity" {
		return coding
	}
	return ""
}
