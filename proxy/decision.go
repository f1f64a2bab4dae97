package proxy

import (
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/exchange"
)

// DecisionHeader is the field of an answer that says what the proxy did about the
// request: a dictionary of structured fields (RFC 9651 section 3.2). An upstream's own
// such field is never passed on.
const DecisionHeader = "Avsproxy-Decision"

// decisionOf writes the field's value, without what is not known.
func decisionOf(e exchange.Facts) string {
	var d dictionary
	d.add("route", bareItem(e.Route), e.Route != "")
	d.add("token", bareItem(string(e.Decision)), e.Decision != "")
	d.add("credential", bareItem(e.Credential), e.Credential != "")
	d.add("age", seconds(e.TokenAge), e.TokenAge >= 0)
	d.add("left", seconds(e.TokenLeft), e.TokenLeft >= 0)
	d.add("upstream", quoted(e.Upstream.Address), e.Upstream.Address != "")
	d.add("proto", quoted(e.Upstream.Proto), e.Upstream.Proto != "")
	d.add("tries", strconv.Itoa(e.Tries), e.Tries > 0)
	d.add("replayed", "?1", e.Replayed)
	return strings.Join(d, ", ")
}

type dictionary []string

func (d *dictionary) add(key, item string, known bool) {
	switch {
	case !known:
	case item == "?1": // true is left out (RFC 9651 section 4.1.2)
		*d = append(*d, key)
	default:
		*d = append(*d, key+"="+item)
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// bareItem is a token where text may be one (RFC 9651 section 3.3.4), else a string.
func bareItem(text string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const more = letters + "0123456789!#$%&'*+-.^_`|~:/"
	if text != "" && strings.Contains(letters+"*", text[:1]) && strings.Trim(text, more) == "" {
		return text
	}
	return quoted(text)
}

// quoted is a string (RFC 9651 section 3.3.3), which has no way to say anything but
// ASCII.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r < 0x20 || r > 0x7e:
			r = '?'
		case r == '"' || r == '\\':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}
