package avs

import (
	"fmt"
	"strings"
)

// A PartHead holds the headers of a part. An empty text means that the header is
// missing.
type PartHead struct {
	// Raw is the header block as it was sent, line ends included, without the blank
	// line that ends it.
	Raw []byte
	// ContentType is as it was sent. ContentID is the bare id, as in a cid: URL. Name
	// is the name parameter of Content-Disposition.
	ContentType, ContentID, Name string
}

// IsJSON reports whether the part's content type is JSON.
func (h PartHead) IsJSON() bool { return strings.Contains(strings.ToLower(h.ContentType), "json") }

func (h *PartHead) add(line string) error {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%w: a blank line is missing between a part's headers and its content", ErrMalformed)
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-type":
		h.ContentType = strings.TrimSpace(value)
	case "content-id":
		h.ContentID = strings.Trim(strings.TrimSpace(value), "<>")
	case "content-disposition":
		h.Name = formName(value)
	}
	return nil
}

func formName(disposition string) string {
	for _, param := range splitParams(disposition) {
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), "name") {
			return unquote(strings.TrimSpace(value))
		}
	}
	return ""
}
