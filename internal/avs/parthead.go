package avs

import (
	"bytes"
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

// add reads a header, and reports whether it is one.
func (h *PartHead) add(line string) bool {
	name, value, found := strings.Cut(line, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-type":
		h.ContentType = strings.TrimSpace(value)
	case "content-id":
		h.ContentID = strings.Trim(strings.TrimSpace(value), "<>")
	case "content-disposition":
		h.Name = paramOf(value, "name")
	}
	return found
}

// A CollectedPart is a part with its content.
type CollectedPart struct {
	PartHead
	Body     []byte // nil if it is too large
	Complete bool   // a delimiter follows the part
	TooLarge bool   // the content is larger than the limit
}

// CollectParts returns a handler that calls each with every part when it ends. limit
// says how many bytes of a part's content are collected at most; a part with a
// negative limit is skipped.
func CollectParts(limit func(PartHead) int, each func(CollectedPart)) PartHandler {
	var part CollectedPart
	most := -1
	return PartHandler{
		Begin: func(head PartHead) { part, most = CollectedPart{PartHead: head}, limit(head) },
		Data: func(p []byte) {
			if most >= 0 {
				part.add(p, most)
			}
		},
		End: func(complete bool) {
			if part.Complete = complete; most >= 0 {
				each(part)
			}
			part = CollectedPart{}
		},
	}
}

func (p *CollectedPart) add(content []byte, limit int) {
	if p.TooLarge = p.TooLarge || len(content) > limit-len(p.Body); p.TooLarge {
		p.Body = nil
		return
	}
	p.Body = append(p.Body, content...)
}

// boundaryOf finds the boundary in a content type that mime.ParseMediaType may
// refuse: with spaces around "=", unquoted characters that need quotes, or
// apostrophes instead of quotes.
func boundaryOf(contentType string) (string, error) {
	kind, params := mediaType(contentType)
	if !strings.HasPrefix(kind, "multipart/") {
		return "", ErrNotMultipart
	}
	if boundary := paramOf(params, "boundary"); boundary != "" {
		return boundary, nil
	}
	return "", fmt.Errorf("%w: the content type has no boundary", ErrMalformed)
}

// mediaType splits a content type into the type in lower case and the parameters.
func mediaType(contentType string) (kind, params string) {
	kind, params, _ = strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind)), params
}

// paramOf returns the first parameter of this name that is not empty, or "". Parameters end
// at semicolons outside of double quotes.
func paramOf(params, name string) string {
	quoted := false
	for _, param := range strings.FieldsFunc(params, func(c rune) bool {
		quoted = quoted != (c == '"')
		return c == ';' && !quoted
	}) {
		key, value, _ := strings.Cut(param, "=")
		if value = unquote(strings.TrimSpace(value)); value != "" && strings.EqualFold(strings.TrimSpace(key), name) {
			return value
		}
	}
	return ""
}

func unquote(value string) string {
	last := len(value) - 1
	if last > 0 && (value[0] == '"' || value[0] == '\'') && value[last] == value[0] {
		return value[1:last]
	}
	return value
}

// isDelimiter reports whether a line is a delimiter line (RFC 2046 section 5.1.1), and
// whether it is the closing one. delimiter is "--" and the boundary.
func isDelimiter(line []byte, delimiter string) (found, closing bool) {
	rest, found := bytes.CutPrefix(line, []byte(delimiter))
	if !found {
		return false, false
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	closing = string(rest) == "--"
	return closing || len(rest) == 0, closing
}
