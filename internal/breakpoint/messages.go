package breakpoint

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// OnRequest holds a request, if a page wants it, and returns the one that goes on: changed = it is another one. The
// error is [ErrDropped].
func (p *Points) OnRequest(ctx context.Context, about About, r *http.Request) (_ *http.Request, changed bool, err error) {
	one := p.reserve(Request, about)
	if one == nil {
		return r, false, nil
	}
	defer p.giveBack()
	body, text, whole := peek(r.Body)
	decision := p.hold(ctx, one, Held{Side: Request, About: about, Header: r.Header.Clone(), Body: text, Whole: whole})
	if decision.Drop {
		return nil, false, ErrDropped
	}
	out := r.WithContext(r.Context())
	out.Body = body
	if decision.Method != "" {
		out.Method, changed = decision.Method, true
	}
	if decision.Target != "" {
		if target, err := url.ParseRequestURI(decision.Target); err == nil {
			target.Scheme, target.Host = r.URL.Scheme, r.URL.Host
			out.URL, out.RequestURI, changed = target, decision.Target, true
		}
	}
	changed = decision.changeFields(out.Header) || changed
	if decision.Body != nil {
		r.Body.Close()
		out.Body, out.ContentLength, changed = io.NopCloser(bytes.NewReader(*decision.Body)), int64(len(*decision.Body)), true
		out.TransferEncoding, out.Trailer = nil, nil
		out.Header.Del("Content-Length")
		out.Header.Del("Content-Encoding") // what a person wrote is not packed
		out.Header.Del("Trailer")
	}
	return out, changed, nil
}

// OnAnswer holds an answer, if a page wants it, and changes it. The error is [ErrDropped].
func (p *Points) OnAnswer(ctx context.Context, about About, resp *http.Response) error {
	if resp.StatusCode < 200 {
		return nil
	}
	one := p.reserve(Answer, about)
	if one == nil {
		return nil
	}
	defer p.giveBack()
	body, text, whole := peek(resp.Body)
	decision := p.hold(ctx, one, Held{Side: Answer, About: about, Header: resp.Header.Clone(), Body: text, Whole: whole})
	resp.Body = body
	if decision.Drop {
		return ErrDropped
	}
	had := hasBody(resp.StatusCode) && about.Method != http.MethodHead
	if decision.Status >= 200 && decision.Status < 600 {
		resp.StatusCode, resp.Status = decision.Status, http.StatusText(decision.Status)
	}
	decision.changeFields(resp.Header)
	switch has := hasBody(resp.StatusCode); {
	case about.Method == http.MethodHead:
	case !has && had:
		body.Close()
		resp.Body, resp.ContentLength, resp.Trailer, resp.TransferEncoding = http.NoBody, 0, nil, nil
		resp.Header.Del("Content-Length")
	case has && !had && decision.Body == nil:
		resp.ContentLength = 0
		resp.Header.Set("Content-Length", "0")
	case has && decision.Body != nil:
		resp.Body.Close()
		resp.Body, resp.ContentLength, resp.Trailer = io.NopCloser(bytes.NewReader(*decision.Body)), int64(len(*decision.Body)), nil
		resp.TransferEncoding = nil
		resp.Header.Set("Content-Length", strconv.Itoa(len(*decision.Body)))
		resp.Header.Del("Content-Encoding") // what a person wrote is not packed
		resp.Header.Del("Trailer")
	}
	return nil
}

// hasBody reports whether an answer of that status has a body (RFC 9110 section 6.4.1).
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

func (d Decision) changeFields(h http.Header) bool {
	for _, name := range d.Remove {
		h.Del(name)
	}
	for name, values := range d.Set {
		h.Del(name)
		for _, value := range values {
			h.Add(name, value)
		}
	}
	return len(d.Remove)+len(d.Set) > 0
}

// peek reads the beginning of a body, and returns one that begins with that. whole = it is all.
func peek(src io.ReadCloser) (body io.ReadCloser, begin []byte, whole bool) {
	if src == nil || src == http.NoBody {
		return src, nil, true
	}
	p := &peeked{src: src, done: make(chan struct{})}
	go p.fill()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enough = true
	return p, bytes.Clone(p.buffer), p.err == io.EOF
}

// A peeked is a body whose beginning was read.
type peeked struct {
	src  io.ReadCloser
	done chan struct{} // closed when fill reads no more

	mu     sync.Mutex
	enough bool
	buffer []byte
	err    error
}

func (p *peeked) fill() {
	defer close(p.done)
	chunk := make([]byte, 32<<10)
	for {
		n, err := p.src.Read(chunk)
		p.mu.Lock()
		p.buffer, p.err = append(p.buffer, chunk[:n]...), err
		over := err != nil || p.enough || len(p.buffer) > MaxBody
		p.mu.Unlock()
		if over {
			return
		}
	}
}

// Read reads what was read before, then on.
func (p *peeked) Read(out []byte) (int, error) {
	p.mu.Lock()
	if len(p.buffer) > 0 {
		n := copy(out, p.buffer)
		p.buffer = p.buffer[n:]
		p.mu.Unlock()
		return n, nil
	}
	p.mu.Unlock()
	<-p.done // a read that is under way has what comes next
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.buffer) > 0 {
		n := copy(out, p.buffer)
		p.buffer = p.buffer[n:]
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.src.Read(out)
}

// Close closes the body.
func (p *peeked) Close() error { return p.src.Close() }
