package capture

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func newHAREntry(r Record) harEntry {
	started := r.Began
	if !r.Arrived.IsZero() {
		started = r.Arrived
	}
	entry := harEntry{
		Started: started.Format(time.RFC3339Nano), Time: r.Timing.Guard + r.Timing.Total,
		Request: newHARRequest(r), Response: newHARResponse(r), Timings: newHARTimings(r.Timing),
		Resource: resourceType(r), Comment: r.Ended,
		Extension: harExtension{
			ID: r.ID, Route: r.Route, State: r.State, AVS: r.AVS, Client: r.Client, Upstream: r.Upstream, Tries: r.Tries,
			Token: r.Token, Error: r.Error, ReplayOf: r.ReplayOf, Interim: r.Interim,
		},
	}
	if r.Upstream.Conn != 0 {
		entry.Conn = strconv.FormatUint(r.Upstream.Conn, 10)
	}
	return entry
}

// resourceType is a type in Chrome's DevTools.
func resourceType(r Record) string {
	switch {
	case r.Status == 101:
		return "websocket"
	case strings.HasPrefix(r.ContentType, "text/event-stream"):
		return "eventsource"
	}
	return "fetch"
}

func newHARRequest(r Record) harRequest {
	target := harURL(r)
	request := harRequest{
		Method: r.Method, URL: target, Version: r.Proto, Cookies: []struct{}{}, Headers: harPairs(r.Request.Header),
		Query: harQuery(target), HeadersSize: -1, BodySize: r.Request.Body.Size, Trailers: harPairs(r.Request.Trailer),
	}
	if r.Request.Body.Size > 0 {
		text := newHARText(r.Request.Body)
		request.PostData = &harPostData{FieldValue(r.Request.Header, "Content-Type"), text.Text, text.Encoding, text.Comment}
	}
	return request
}

func newHARResponse(r Record) harResponse {
	body := r.Response.Body
	response := harResponse{
		Status: r.Status, Version: r.UpstreamProto, Cookies: []struct{}{}, Headers: harPairs(r.Response.Header),
		Content:     harContent{Size: body.Size, Type: r.ContentType, harText: newHARText(body)},
		RedirectURL: FieldValue(r.Response.Header, "Location"), HeadersSize: -1, BodySize: body.Size, TransferSize: body.Size,
		Trailers: harPairs(r.Response.Trailer), Error: r.Ended,
	}
	if r.Status == 0 || r.State == StateActive {
		response.BodySize, response.TransferSize = -1, -1
	}
	return response
}

// newHARTimings divides the time of an exchange so that the parts add up to it.
func newHARTimings(t Timing) harTimings {
	rest := t.Total
	part := func(want float64) float64 {
		got := max(0, min(want, rest))
		rest -= got
		return got
	}
	timings := harTimings{Blocked: t.Guard + part(t.Token), DNS: -1, Connect: -1, SSL: -1}
	if t.Connect > 0 {
		timings.Connect = part(t.Connect)
		if t.TLS > 0 { // HAR includes ssl in connect
			timings.SSL = min(t.TLS, timings.Connect)
		}
	}
	wait := rest // no response
	if t.FirstByte > 0 {
		wait = t.FirstByte - (t.Total - rest)
	}
	timings.Wait = part(wait)
	timings.Receive = rest
	return timings
}

func harPairs(fields []Field) []harPair {
	pairs := make([]harPair, len(fields))
	for i, f := range fields {
		pairs[i] = harPair{f.Name, f.Value}
	}
	return pairs
}

// harURL is a valid URL (RFC 3986), whatever the client sent.
func harURL(r Record) string {
	target := escapeURL(r.Target)
	whole := cmp.Or(r.Scheme, "http") + "://" + strings.Map(hostRune, r.Host) + "/" + strings.TrimPrefix(target, "/")
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		whole = target
	}
	if _, err := url.Parse(whole); err != nil {
		return "http://_/" + target
	}
	return whole
}

func hostRune(c rune) rune {
	if isWordRune(c) || strings.ContainsRune(".:[]", c) {
		return c
	}
	return '_'
}

func escapeURL(text string) string {
	var escaped strings.Builder
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0 || c == '%' && !percentEscape.MatchString(text[i:min(i+3, len(text))]) {
			fmt.Fprintf(&escaped, "%%%02X", c)
		} else {
			escaped.WriteByte(c)
		}
	}
	return escaped.String()
}

func harQuery(target string) []harPair {
	pairs := []harPair{}
	_, query, _ := strings.Cut(target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, harPair{Name: unescape(name), Value: unescape(value)})
	}
	return pairs
}

// percentEscape matches an escaped byte (RFC 3986 section 2.1).
var percentEscape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func isWordRune(c rune) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '-'
}

// unescape returns a text unchanged if it escapes characters that need no escape (RFC
// 3986 section 2.3): a secret that is escaped so would not have been masked.
func unescape(text string) string {
	plain, err := url.QueryUnescape(text)
	odd := slices.ContainsFunc(percentEscape.FindAllString(text, -1), func(one string) bool {
		c, _ := strconv.ParseUint(one[1:], 16, 8)
		return isWordRune(rune(c)) || c == '.' || c == '~'
	})
	if err != nil || odd {
		return text
	}
	return plain
}

func newHARText(b Body) harText {
	text := harText{Comment: harComment(b)}
	if IsText(b.Bytes) {
		text.Text = string(b.Bytes)
	} else {
		text.Text, text.Encoding = base64.StdEncoding.EncodeToString(b.Bytes), "base64"
	}
	return text
}

func harComment(b Body) string {
	switch {
	case b.Complete || b.Size == 0:
		return ""
	case b.Kept == 0:
		return fmt.Sprintf("none of %d bytes were kept", b.Size)
	case b.Kept == b.Size:
		return "the body did not come to its end"
	}
	return fmt.Sprintf("the first %d of %d bytes", b.Kept, b.Size)
}

// IsText reports whether p is UTF-8 without unusual control characters. Its last
// character may be cut off.
func IsText(p []byte) bool {
	for len(p) > 0 {
		c, size := utf8.DecodeRune(p)
		if c == utf8.RuneError && size == 1 && utf8.FullRune(p) {
			return false
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
		p = p[size:]
	}
	return true
}
