package h1

import (
	"strconv"

	"avsproxy/internal/h2"
)

// A body is how the body of a request stands on the connection.
type body struct {
	chunked bool
	left    int64
}

// AppendHead implements [h2.Framing]: the pseudo-header fields become the first line and Host.
func (c *client) AppendHead(out []byte, st *h2.Stream, fields []h2.Field, fin bool) []byte {
	var method, path, authority string
	length := int64(-1)
	for i := range fields {
		switch f := &fields[i]; f.Name {
		case ":method":
			method = f.Value
		case ":path":
			path = f.Value
		case ":authority":
			authority = f.Value
		case "content-length":
			if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
				length = n
			}
		}
	}
	c.stream, c.head, c.last, c.state = st, method == "HEAD", false, inAnswerHead
	c.request = body{chunked: !fin && length < 0, left: max(length, 0)}
	out = append(append(append(append(out, method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, authority...), "\r\n"...)
	out = appendRequestFields(out, fields)
	switch {
	case c.request.chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case fin && length < 0 && (method == "POST" || method == "PUT" || method == "PATCH"): // RFC 9110 section 8.6
		out = append(out, "Content-Length: 0\r\n"...)
	}
	return append(out, "\r\n"...)
}

// AppendData implements [h2.Framing].
func (c *client) AppendData(out []byte, st *h2.Stream, p []byte, fin bool) []byte {
	if c.request.chunked {
		out = appendChunk(out, p)
	} else { // no more than was announced: it would be read as the next request
		n := min(c.request.left, int64(len(p)))
		c.request.left -= n
		out = append(out, p[:n]...)
	}
	if fin {
		out = c.AppendEnd(out, st, nil)
	}
	return out
}

// AppendEnd implements [h2.Framing].
func (c *client) AppendEnd(out []byte, _ *h2.Stream, trailer []h2.Field) []byte {
	switch {
	case c.request.chunked:
		out = append(appendFields(append(out, "0\r\n"...), trailer, &answer{}), "\r\n"...)
	case c.request.left > 0: // it is shorter than announced
		go c.session.Abort()
	}
	return out
}

// AppendReset implements [h2.Framing]. The upstream sees that nobody waits any more; behind a
// whole answer, that the rest of the request does not come, if there is one.
func (c *client) AppendReset(out []byte, _ *h2.Stream, code h2.ErrCode) []byte {
	switch {
	case code != h2.NoError:
		c.session.Cut()
	case c.request.chunked || c.request.left > 0:
		c.session.Leave()
	}
	return out
}

// AppendCredit implements [h2.Framing].
func (c *client) AppendCredit(out []byte, _ *h2.Stream, _ int) []byte {
	c.session.Block(false)
	return out
}

// AppendGoAway implements [h2.Framing]; HTTP/1.1 has no such thing.
func (c *client) AppendGoAway(out []byte, _ h2.ErrCode, _ string) []byte { return out }

// appendRequestFields appends the fields of a request. The crumbs of cookies become one again (RFC
// 9113 section 8.2.3).
func appendRequestFields(out []byte, fields []h2.Field) []byte {
	all, crumbs := &answer{trailers: true}, false
	for i := range fields {
		if fields[i].Name != "cookie" {
			out = appendFields(out, fields[i:i+1], all)
			continue
		}
		if crumbs {
			continue
		}
		crumbs = true
		out = append(append(appendName(out, &fields[i]), ": "...), fields[i].Value...)
		for j := i + 1; j < len(fields); j++ {
			if fields[j].Name == "cookie" {
				out = append(append(out, "; "...), fields[j].Value...)
			}
		}
		out = append(out, "\r\n"...)
	}
	return out
}
