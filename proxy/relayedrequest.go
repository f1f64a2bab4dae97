package proxy

import (
	"net/url"
	"slices"

	"avsproxy/internal/h2"
)

// outgoing are the fields of the request as they go out. The origin is checked last.
func (e *relayed) outgoing(origin *url.URL) (h2.Fields, error) {
	path := e.head.Path
	if base := e.route.Origin.EscapedPath(); base != "" && base != "/" {
		target, err := url.ParseRequestURI(path)
		if err != nil {
			return nil, err
		}
		path = TargetURL(e.route.Origin, target).RequestURI()
	}
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

// adaptRequest makes of the fields of the request those that go out, and keeps them in the
// template, but for the token.
func (e *relayed) adaptRequest(out *h2.Fields) {
	dropHopByHop(out)
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
