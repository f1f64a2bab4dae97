package proxy

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"avsproxy/internal/h2"
)

// outgoing are the fields of the request as they go out. The origin is checked last.
func (e *relayed) outgoing(origin *url.URL) (h2.Fields, error) {
	path := under(e.route.Origin, e.head.Path)
	e.relayer.fields = append(e.relayer.fields[:0],
		h2.Field{Name: ":authority", Value: origin.Host}, h2.Field{Name: ":method", Value: e.head.Method},
		h2.Field{Name: ":path", Value: path}, h2.Field{Name: ":scheme", Value: origin.Scheme})
	out := &e.relayer.fields
	if t := e.template; t != nil && t.sent != nil {
		*out = append(*out, t.sent...)
		e.route.Credential.add(out, e.begun.used)
	} else {
		*out = append(*out, e.fields...)
		e.adaptRequest(out)
	}
	if e.route.Credential.Source == nil {
		return *out, nil
	}
	return *out, checkOrigin((*out)[3].Value, (*out)[0].Value, origin)
}

// under puts the path of the origin before the one that was asked for, which stays as it is.
func under(origin *url.URL, path string) string {
	base := strings.TrimSuffix(origin.EscapedPath(), "/")
	if base == "" || path == "*" {
		return path
	}
	return base + path
}

// adaptRequest makes of the fields of the request those that go out, and keeps them in the
// template, but for the token.
func (e *relayed) adaptRequest(out *h2.Fields) {
	dropHopByHop(out)
	if e.expects { // it has got its 100
		out.Del("Expect")
	}
	if e.head.Proto != "" {
		dropConnection(out)
	}
	e.route.setFields(out, false)
	if !e.injects {
		return
	}
	credential := &e.route.Credential
	if e.template != nil && credential.Placeholder.Access == "" {
		credential.remove(out)
		e.template.sent = slices.Clone((*out)[4:]) // behind the pseudo-header fields
	}
	credential.Apply(out, e.begun.used)
}

// dropHopByHop removes the fields of HTTP/2 that go no further (RFC 9110 section 7.6.1), and
// the one that says what a pseudo-header field says.
func dropHopByHop(fields *h2.Fields) {
	for _, name := range []string{"proxy-authorization", "proxy-authenticate", "host"} {
		fields.Del(name)
	}
}

// dropConnection removes the fields of HTTP/1.x that go no further (RFC 9110 section 7.6.1). A
// Connection that names pseudo-header fields names none of the client's.
func dropConnection(fields *h2.Fields) {
	for _, list := range fields.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.Trim(name, " \t"); name != "" && name[0] != ':' && !strings.EqualFold(name, "TE") {
				fields.Del(name)
			}
		}
	}
	trailers := httpguts.HeaderValuesContainsToken(fields.Values("TE"), "trailers")
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "Expect"} {
		fields.Del(name)
	}
	if trailers {
		fields.Add("te", "trailers") // it is true of us, and of the client (RFC 9110 section 10.1.4)
	}
}
