package exchange

import (
	"net/url"
	"slices"
)

// A Head is the head of a request, as the client sent it.
type Head struct {
	Method    string
	Scheme    string // of the absolute form; empty = the request has another form
	Authority string // Host or :authority
	Path      string // percent-encoded
	Query     string // without the question mark
	Target    string // path and query, "*" or the authority, as they were sent
	Proto     string // as net/http names it, such as "HTTP/2.0"
	Stream    uint32 // of HTTP/2; 0 = unknown, or HTTP/1.x
	Forward   bool   // a CONNECT or the absolute form: the client uses us as its forward proxy
	HTTP10    bool   // the client speaks HTTP/1.0 or older
	NoBody    bool   // no body comes behind it, and no inside of a CONNECT
	Fields    Fields
}

// Fields are the header fields of a head. Names have no case. An engine implements
// them by the form in which it has them.
type Fields interface {
	// Values returns the values of a field, in their order.
	Values(name string) []string
	// Each has them in the order of the wire, or in that of their names where the engine
	// does not know any other.
	FieldList
	// Has reports whether there is a field of that name, Del removes it.
	Has(name string) bool
	Del(name string)
	// DeleteFunc removes the values for which del reports true.
	DeleteFunc(del func(name, value string) bool)
	// Add adds a field behind those of the same name.
	Add(name, value string)
}

// Set makes value the only one of a field.
func Set(f Fields, name, value string) {
	f.Del(name)
	f.Add(name, value)
}

// Get returns the first value of a field; empty = there is none.
func (h *Head) Get(name string) string {
	if values := h.Fields.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Address is where a forward request goes, without the query, which may hold anything.
func (h *Head) Address() string {
	if h.Method == connect {
		return h.Authority
	}
	return h.Scheme + "://" + h.Authority + h.Path
}

// Has reports whether the head has a field of that name.
func (h *Head) Has(name string) bool { return h.Fields.Has(name) }

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

// Replace changes each value of a field. They come behind all others.
func Replace(f Fields, name string, change func(string) string) {
	values := slices.Clone(f.Values(name))
	f.Del(name)
	for _, value := range values {
		f.Add(name, change(value))
	}
}
