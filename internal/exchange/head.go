package exchange

import (
	"iter"
	"net/url"
)

// A Head is the head of a request, as the client sent it.
type Head struct {
	Method    string
	Scheme    string // of the absolute form; empty = the request has another form
	Authority string // Host or :authority
	Path      string // percent-encoded
	Query     string // without the question mark
	Forward   bool   // a CONNECT or the absolute form: the client uses us as its forward proxy
	HTTP10    bool   // the client speaks HTTP/1.0 or older
	Fields    Fields
}

// Fields are the header fields of a head. Names have no case. An engine implements
// them by the form in which it has them.
type Fields interface {
	// Values returns the values of a field, in their order.
	Values(name string) []string
	// All returns all fields, name and value, one by one.
	All() iter.Seq2[string, string]
	// DeleteFunc removes the values for which del reports true.
	DeleteFunc(del func(name, value string) bool)
}

// Get returns the first value of a field; empty = there is none.
func (h *Head) Get(name string) string {
	if values := h.Fields.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Has reports whether the head has a field of that name.
func (h *Head) Has(name string) bool { return len(h.Fields.Values(name)) > 0 }

// DecodedPath is the path without percent-encoding; a path that cannot be decoded
// stays as it is.
func (h *Head) DecodedPath() string {
	if path, err := url.PathUnescape(h.Path); err == nil {
		return path
	}
	return h.Path
}

const connect = "CONNECT"

// Authority returns the authority that a request is for: the target of the CONNECT
// that it came inside, which has the port even where the request leaves it out; else
// what Host or :authority say. ok is false where that is no authority. A CONNECT must
// name its port (RFC 9110 section 9.3.6).
func (c *Conn) Authority(h *Head) (authority Authority, ok bool) {
	if c.Tunnel != nil {
		return *c.Tunnel, true
	}
	authority, ok = ParseAuthority(h.Authority)
	if h.Method == connect && authority.Port == "" {
		return Authority{}, false
	}
	return authority, ok
}

// ListenerFor is the connection's listener, with the scheme of the request: of a
// CONNECT and of what comes inside one by its port, else of the absolute form, else
// of the connection.
func (c *Conn) ListenerFor(h *Head) Listener {
	l := c.Listener
	target := c.Tunnel
	if h.Method == connect {
		if asked, ok := ParseAuthority(h.Authority); ok {
			target = &asked
		}
	}
	switch {
	case target != nil:
		l.TLS = target.Port != "80"
	case h.Scheme != "":
		l.TLS = h.Scheme == "https"
	}
	return l
}
