package frames

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// checkRequest checks the fields of a request (RFC 9113 sections 8.2 and 8.3.1)
// and returns its content-length, or -1.
func checkRequest(fields []hpack.HeaderField) (length int64, err error) {
	pseudo := map[string]string{}
	regular := fields
	for len(regular) > 0 && regular[0].IsPseudo() {
		field := regular[0]
		if _, twice := pseudo[field.Name]; twice || !validValue(field.Value) {
			return -1, fmt.Errorf("%s is malformed or there twice", field.Name)
		}
		pseudo[field.Name] = field.Value
		regular = regular[1:]
	}
	if err := checkPseudo(pseudo); err != nil {
		return -1, err
	}
	if err := checkRegular(regular); err != nil {
		return -1, err
	}
	return contentLength(regular)
}

// checkPseudo requires :method, :scheme and :path, and for CONNECT only :method and
// :authority.
func checkPseudo(pseudo map[string]string) error {
	for name := range pseudo {
		switch name {
		case ":method", ":scheme", ":path", ":authority":
		default:
			return fmt.Errorf("unknown pseudo-header %q", name)
		}
	}
	method, path := pseudo[":method"], pseudo[":path"]
	_, hasScheme := pseudo[":scheme"]
	_, hasPath := pseudo[":path"]
	switch {
	case !httpguts.ValidHeaderFieldName(method): // both are tokens
		return fmt.Errorf("malformed method %q", method)
	case method == "CONNECT" && (hasScheme || hasPath || pseudo[":authority"] == ""):
		return fmt.Errorf("CONNECT needs only an authority")
	case method != "CONNECT" && (pseudo[":scheme"] == "" || path == ""):
		return fmt.Errorf("no :scheme or no :path")
	case method != "CONNECT" && path[0] != '/' && (path != "*" || method != "OPTIONS"):
		return fmt.Errorf("malformed path")
	}
	return nil
}

// checkTrailer checks the fields after a body.
func checkTrailer(fields []hpack.HeaderField) error { return checkRegular(fields) }

// checkRegular refuses pseudo-header fields and connection-specific fields (RFC 9113
// section 8.2.2).
func checkRegular(fields []hpack.HeaderField) error {
	for _, field := range fields {
		if !validName(field.Name) || !validValue(field.Value) {
			return fmt.Errorf("malformed field %q", field.Name)
		}
		if connectionSpecific(field.Name) || field.Name == "te" && !strings.EqualFold(field.Value, "trailers") {
			return fmt.Errorf("connection-specific field %q", field.Name)
		}
	}
	return nil
}

func connectionSpecific(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func validName(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && strings.ToLower(name) == name
}

// validValue also refuses spaces around a value (RFC 9113 section 8.2.1).
func validValue(value string) bool {
	return httpguts.ValidHeaderFieldValue(value) && strings.Trim(value, " \t") == value
}

// contentLength returns -1 if none is declared.
func contentLength(fields []hpack.HeaderField) (int64, error) {
	length := int64(-1)
	for _, field := range fields {
		if field.Name != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(field.Value, 10, 63)
		if err != nil || length >= 0 && length != int64(n) {
			return -1, fmt.Errorf("malformed content-length %q", field.Value)
		}
		length = int64(n)
	}
	return length, nil
}
