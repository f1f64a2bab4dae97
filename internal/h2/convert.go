package h2

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// headerOf is a block of fields in net/http's form. The crumbs of cookies become one (RFC
// 9113 section 8.2.3).
func headerOf(fields []Field) http.Header {
	h := make(http.Header, len(fields))
	for i := range fields {
		name := http.CanonicalHeaderKey(fields[i].Name)
		if name == "Cookie" && len(h[name]) > 0 {
			h[name][0] += "; " + fields[i].Value
			continue
		}
		h[name] = append(h[name], fields[i].Value)
	}
	return h
}

// appendHeader appends a header of net/http's, without what HTTP/2 does not have (RFC 9113
// section 8.2.2).
func appendHeader(fields []Field, h http.Header) []Field {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		values := h[name]
		lower := strings.ToLower(name)
		switch lower {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "host":
			continue
		}
		if !validName(lower) {
			continue
		}
		for _, value := range values {
			value = textproto.TrimString(value)
			if validValue(value) && (lower != "te" || value == "trailers") {
				fields = append(fields, Field{Name: lower, Value: value, Sensitive: lower == "cookie" && len(value) < 20})
			}
		}
	}
	return fields
}

// announced is the map in which trailers will be found, as the head names them; nil = it
// names none.
func announced(h http.Header) http.Header {
	var trailer http.Header
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(textproto.TrimString(name)); httpguts.ValidTrailerHeader(name) {
				if trailer == nil {
					trailer = http.Header{}
				}
				trailer[name] = nil
			}
		}
	}
	return trailer
}

// request is a head in net/http's form, without a body.
func (h *Head) request() (*http.Request, error) {
	if h.Proto != "" {
		return h.request1()
	}
	r := &http.Request{
		Method: h.Method, Proto: "HTTP/2.0", ProtoMajor: 2, Header: headerOf(h.Fields),
		Host: h.Authority, ContentLength: h.Length, RequestURI: h.Path,
	}
	if r.Host == "" {
		r.Host = r.Header.Get("Host")
		delete(r.Header, "Host") // one besides :authority stays, for who compares them
	}
	if r.Method == http.MethodConnect && h.Protocol == "" {
		r.URL, r.RequestURI = &url.URL{Host: h.Authority}, h.Authority
	} else {
		target, err := url.ParseRequestURI(h.Path)
		if err != nil || strings.Contains(target.RawQuery, " ") { // which would end a target of HTTP/1.1
			return nil, malformed(":path")
		}
		r.URL = target
	}
	r.Trailer = announced(r.Header)
	delete(r.Header, "Trailer")
	return r, nil
}

// request1 is a head of HTTP/1.x, as net/http's server has it.
func (h *Head) request1() (r *http.Request, err error) {
	r = &http.Request{
		Method: h.Method, Proto: h.Proto, ProtoMajor: 1, Header: make(http.Header, len(h.Fields)),
		Host: h.Authority, RequestURI: h.Target, ContentLength: max(h.Length, 0),
	}
	if h.Proto == "HTTP/1.1" {
		r.ProtoMinor = 1
	}
	for i := range h.Fields {
		name := http.CanonicalHeaderKey(h.Fields[i].Name)
		r.Header[name] = append(r.Header[name], h.Fields[i].Value)
	}
	if h.Chunked {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		r.Trailer = announced(r.Header)
	}
	delete(r.Header, "Trailer")
	if r.Method == http.MethodConnect {
		r.URL = &url.URL{Host: h.Authority}
	} else if r.URL, err = url.ParseRequestURI(h.Target); err != nil {
		return nil, malformed("target")
	}
	if r.URL.Host != "" {
		r.Host = r.URL.Host
	}
	return r, nil
}

// answerFields is the head of an answer.
func answerFields(status int, h http.Header) []Field {
	fields := make([]Field, 1, len(h)+1)
	fields[0] = Field{Name: ":status", Value: strconv.Itoa(status)}
	return appendHeader(fields, h)
}
