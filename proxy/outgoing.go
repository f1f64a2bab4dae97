package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// TargetURL is where a request for asked goes, of which path and query count.
func TargetURL(origin, asked *url.URL) *url.URL {
	out := *asked
	pr := &httputil.ProxyRequest{In: &http.Request{URL: asked}, Out: &http.Request{URL: &out}}
	pr.SetURL(origin)
	pr.Out.URL.RawQuery = asked.RawQuery
	return pr.Out.URL
}

// setFields makes of the fields of a request, without those that are hop-by-hop, what the
// upstream gets.
func (p *Policy) setFields(out exchange.Fields, websocket bool) {
	if !websocket {
		// "Upgrade: h2c" would be a tunnel past everything that is decided here
		// (golang/go#80416).
		out.Del("Upgrade")
		out.Del("Connection")
	}
	out.Del("Http2-Settings")
	if len(p.Strip) > 0 {
		out.DeleteFunc(func(name, _ string) bool { return isNamed(p.Strip, name) })
	}
	for name, value := range p.Headers {
		exchange.Set(out, name, value)
	}
}

// isNamed reports whether a field is one of those named, in any spelling.
func isNamed(names []string, name string) bool {
	return slices.ContainsFunc(names, func(unwanted string) bool { return exchange.SameField(name, unwanted) })
}

// forwardedFields are what httputil.ReverseProxy drops, lest clients lie about where they
// are. Here it is the client who says who its own clients are.
var forwardedFields = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// keepForwarded gives an outgoing request the fields that the client sent, unless it
// sent them for us alone (RFC 9110 section 7.6.1).
func keepForwarded(out, in exchange.Fields) {
	for _, name := range forwardedFields {
		if httpguts.HeaderValuesContainsToken(in.Values("Connection"), name) {
			continue
		}
		for _, value := range in.Values(name) {
			out.Add(name, value)
		}
	}
}

// dropTrailers removes the fields that RFC 9110 section 6.5.1 keeps out of
// trailers, such as a second Authorization, and those to strip: some servers merge
// them.
func dropTrailers(trailer http.Header, strip []string) {
	for name := range trailer {
		if !isTrailer(name, strip) {
			delete(trailer, name)
		}
	}
}

func isTrailer(name string, strip []string) bool {
	return !isNamed(strip, name) && httpguts.ValidTrailerHeader(http.CanonicalHeaderKey(name))
}

// ours are the fields by which the proxy speaks to its clients.
var ours = []string{problem.Header, DecisionHeader, exchange.NoticeHeader}

// dropOurs keeps an upstream from speaking for us in its answer, or behind it.
func dropOurs(fields exchange.Fields) {
	for _, name := range ours {
		fields.Del(name)
	}
}

// dropOursAnnounced is dropOurs for what a head says of the trailer.
func dropOursAnnounced(fields exchange.Fields) {
	exchange.Replace(fields, "Trailer", func(list string) string {
		names := strings.Split(list, ",")
		return strings.Join(slices.DeleteFunc(names, func(name string) bool { return isNamed(ours, strings.TrimSpace(name)) }), ",")
	})
}
