package tokens

import (
	"bytes"
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
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMost))
	resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, text: text, cut: err}
	plain := charset.UTF8(text)
	if a.fields, a.whole = parseObject(plain); a.fields == nil {
		a.fields = parseForm(plain)
		a.whole = err == nil
	}
	return a
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
		if !ok || d.Decode(&value) != nil {
			return fields, false
		}
		fields[key] = value
	}
	_, err := d.Token()
	return fields, err == nil
}

// parseForm reads an answer like GitHub's, which is a form; nil = it is none.
func parseForm(text []byte) map[string]json.RawMessage {
	text = bytes.TrimSpace(text)
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
	refresh := a.str("refresh_token") != ""
	return a.status/100 == 2 && (refresh || a.whole && a.str("access_token") != "")
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
func seconds(number json.Number, unsaid, least, most time.Duration) time.Duration {
	value, err := number.Float64()
	if err != nil || value <= 0 {
		return unsaid
	}
	return max(least, time.Duration(min(value, most.Seconds())*float64(time.Second)))
}
