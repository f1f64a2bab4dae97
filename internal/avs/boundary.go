package avs

import (
	"bytes"
	"fmt"
	"strings"
)

// boundaryOf finds the boundary in a content type that mime.ParseMediaType may
// refuse: with spaces around "=", unquoted characters that need quotes, or
// apostrophes instead of quotes.
func boundaryOf(contentType string) (string, error) {
	kind, params, _ := strings.Cut(contentType, ";")
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		return "", ErrNotMultipart
	}
	for _, param := range splitParams(params) {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "boundary") {
			continue
		}
		if boundary := unquote(strings.TrimSpace(value)); boundary != "" {
			return boundary, nil
		}
	}
	return "", fmt.Errorf("%w: the content type has no boundary", ErrMalformed)
}

// splitParams splits at semicolons outside of double quotes.
func splitParams(params string) []string {
	quoted := false
	return strings.FieldsFunc(params, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ';' && !quoted
	})
}

func unquote(value string) string {
	for _, quote := range []string{`"`, `'`} {
		inner, found := strings.CutPrefix(value, quote)
		if found && strings.HasSuffix(inner, quote) {
			return strings.TrimSuffix(inner, quote)
		}
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
