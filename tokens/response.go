package tokens

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/charset"
)

// maxResponse is how many bytes of a response are read.
const maxResponse = 4 << 20

// A response is what an endpoint of the provider answered. It may hold the only
// refresh token that is left, so it is read by what it is, not by what it is
// called: JSON or a form, in UTF-8 or UTF-16, as far as it came.
type response struct {
	status int
	header http.Header
	fields map[string]json.RawMessage // of a JSON object or a form; nil = it is neither
	whole  bool                       // the object has its end
	text   []byte                     // as it came
	cut    error                      // why it could not be read to its end; nil = it could
}

func readResponse(resp *http.Response) *response {
	text, err := readBody(resp.Body)
	resp.Body.Close()
	r := &response{status: resp.StatusCode, header: resp.Header, text: text, cut: err}
	plain := charset.UTF8(unpacked(text))
	if r.fields, r.whole = parseObject(plain); r.fields == nil {
		r.fields = parseForm(plain, err == nil)
		r.whole = err == nil
	}
	return r
}

// readBody reads a response up to its end, or to the end of the object that it is: a
// server may announce more than it sends, and leave the connection open.
func readBody(body io.Reader) (text []byte, err error) {
	body = io.LimitReader(body, maxResponse)
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
	plain, _ := io.ReadAll(io.LimitReader(unpacker, maxResponse))
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

// parseForm reads a response like GitHub's, which is a form; nil = it is none. Of one
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
func (r *response) str(key string) string { return plain(r.fields[key]) }

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

// first is the first member that has a text.
func (r *response) first(names []string) string {
	for _, name := range names {
		if text := r.str(name); text != "" {
			return text
		}
	}
	return ""
}

func (r *response) inner(key string) (object map[string]json.RawMessage) {
	_ = json.Unmarshal(r.fields[key], &object) // anything else has no members
	return object
}

// errorList is the list "errors" of responses like Fitbit's and Strava's.
func (r *response) errorList() []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(r.fields["errors"], &list) // anything else is no such list
	return list
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
