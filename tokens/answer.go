package tokens

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/charset"
)

// answerMost is how many bytes of an answer are read.
const answerMost = 4 << 20

// An answer is what an endpoint of the provider answered. It may hold the only
// refresh token that is left, so it is read by what it is, not by what it is
// called: JSON or a form, in UTF-8 or UTF-16, as far as it came.
type answer struct {
	status int
	header http.Header
	fields map[string]json.RawMessage // of a JSON object or a form; nil = it is neither
	whole  bool                       // the object has its end
	text   []byte                     // as it came
	cut    error                      // why it could not be read to its end; nil = it could
}

func readAnswer(resp *http.Response) *answer {
	text, err := readBody(resp.Body)
	resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, text: text, cut: err}
	plain := charset.UTF8(unpacked(text))
	if a.fields, a.whole = parseObject(plain); a.fields == nil {
		a.fields = parseForm(plain, err == nil)
		a.whole = err == nil
	}
	return a
}

// readBody reads an answer up to its end, or to the end of the object that it is: a
// server may announce more than it sends, and leave the connection open.
func readBody(body io.Reader) (text []byte, err error) {
	body = io.LimitReader(body, answerMost)
	for chunk := make([]byte, 16<<10); err == nil; {
		var n int
		n, err = body.Read(chunk)
		text = append(text, chunk[:n]...)
		if err == nil && bytes.HasSuffix(bytes.TrimRight(text, " \r\n\t\x00"), []byte("}")) {
			if _, whole := parseObject(charset.UTF8(text)); whole {
				return text, nil
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	return text, err
}

// unpacked is text without gzip, as far as it came.
func unpacked(text []byte) []byte {
	unpacker, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return text
	}
	plain, _ := io.ReadAll(io.LimitReader(unpacker, answerMost))
	return plain
}

// parseObject reads the members of a JSON object up to where they end, whatever
// follows. Some servers put the object into a JSON string.
func parseObject(text []byte) (fields map[string]json.RawMessage, whole bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	first, _ := d.Token()
	if inner, ok := first.(string); ok && len(inner) < len(text) {
		return parseObject([]byte(inner))
	}
	if first != json.Delim('{') {
		return nil, false
	}
	fields = map[string]json.RawMessage{}
	for d.More() {
		name, _ := d.Token()
		key, ok := name.(string)
		var value json.RawMessage
		if !ok || d.Decode(&value) != nil || unended(value) && d.InputOffset() == int64(len(text)) {
			return fields, false
		}
		fields[key] = value
	}
	_, err := d.Token()
	return fields, err == nil
}

// unended reports whether a value has no closing mark, so that more of it may have
// been lost.
func unended(value json.RawMessage) bool {
	return !strings.ContainsAny(string(value[len(value)-1:]), `"]}`)
}

// parseForm reads an answer like GitHub's, which is a form; nil = it is none. Of one
// that is not whole the last pair is left out, since part of it may have been lost.
func parseForm(text []byte, whole bool) map[string]json.RawMessage {
	text = bytes.TrimSpace(text)
	if !whole {
		text = text[:max(0, bytes.LastIndexByte(text, '&'))]
	}
	values, err := url.ParseQuery(string(text))
	named := values.Has("access_token") || values.Has("refresh_token") || values.Has("error")
	if err != nil || !named || bytes.ContainsAny(text, " \t\r\n<\"") {
		return nil
	}
	fields := map[string]json.RawMessage{}
	for key := range values {
		fields[key], _ = json.Marshal(values.Get(key)) // a string cannot fail to encode
	}
	return fields
}

// str is a member that is a string or a number; "" for all others.
func (a *answer) str(key string) string { return plain(a.fields[key]) }

func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return ""
}

// code is the error code of RFC 6749 section 5.2, put into our words; "" = the
// answer tells of no error. Some servers say "error": false or 0 beside a token.
func (a *answer) code() string {
	var text string
	if json.Unmarshal(a.fields["error"], &text) != nil || text == "" {
		return ""
	}
	return errorCode(text)
}

// issues reports whether the answer is a token answer (RFC 6749 section 5.1). Of
// one that broke off only a refresh token counts: it has its closing quote, and
// without one nobody knows whether the part that is missing had another.
func (a *answer) issues() bool {
	refresh := a.refresh() != ""
	return a.status/100 == 2 && !a.oddRefresh() && (refresh || a.whole && a.str("access_token") != "")
}

// refresh is the refresh token; "" = there is none. Some servers write something else
// in its place.
func (a *answer) refresh() string {
	switch text := a.str("refresh_token"); strings.TrimSpace(text) {
	case "", "0", "null", "none":
		return ""
	default:
		return text
	}
}

// oddRefresh reports whether the refresh token is one that RFC 6749 (appendix A.17)
// does not allow: it was damaged on its way, and must not take the place of a good one.
func (a *answer) oddRefresh() bool {
	return strings.ContainsFunc(a.refresh(), func(r rune) bool { return r == ' ' || notVSCHAR(r) })
}

// scopes is the member scope: one text, or a list as Twitch sends it.
func (a *answer) scopes() []string {
	var list []string
	if json.Unmarshal(a.fields["scope"], &list) == nil {
		return list
	}
	return strings.Fields(a.str("scope"))
}

const (
	lifeUnsaid = time.Hour // a provider that does not say: Amazon's, and most, are an hour
	lifeMost   = 365 * 24 * time.Hour
)

// life reads expires_in, which some answers leave out or get wrong: zero. A
// number that would be more than 30 years is the time of the end itself, in
// seconds or milliseconds since 1970, by the provider's clock.
func (a *answer) life(now time.Time) time.Duration {
	const epoch, millis = 1e9, 1e11
	number, err := strconv.ParseFloat(strings.TrimSpace(a.str("expires_in")), 64)
	switch {
	case err != nil && !math.IsInf(number, 0), math.IsNaN(number), number <= 0:
		return 0
	case number >= millis:
		number /= 1000
		fallthrough
	case number >= epoch:
		number -= float64(a.time(now).Unix())
	}
	return time.Duration(min(max(0, number), lifeMost.Seconds()) * float64(time.Second))
}

// time is the provider's clock, or else ours.
func (a *answer) time(now time.Time) time.Time {
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		return date
	}
	return now
}

// seconds reads a number of seconds within bounds; what is left out, or is not
// above zero, counts as unsaid.
func seconds(text string, unsaid, least, most time.Duration) time.Duration {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value <= 0 {
		return unsaid
	}
	return max(least, time.Duration(min(value, most.Seconds())*float64(time.Second)))
}
