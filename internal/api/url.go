package api

import (
	"errors"
	"net/url"
	"strings"
)

// LocalhostURL is the friendlier form of a loopback address.
func LocalhostURL(address string) string {
	for _, ip := range []string{"127.0.0.1", "[::1]", "0.0.0.0", "[::]"} {
		address = strings.Replace(address, "http://"+ip+":", "http://localhost:", 1)
	}
	return address
}

func WithCredential(path, name string) string {
	if name == "" {
		return path
	}
	return path + "?" + url.Values{"credential": {name}}.Encode()
}

// WithoutQuery leaves out the URL that net/http puts into its errors: its query
// may hold a code.
func WithoutQuery(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err.Error()
	}
	return err.Error()
}
