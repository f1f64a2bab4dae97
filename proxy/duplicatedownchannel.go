package proxy

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// NoticeHeader is a header field in which the proxy tells a client what it should
// know about an answer that is the upstream's.
const NoticeHeader = "Avsproxy-Notice"

const secondDownchannel = `another downchannel of this device is open; AVS speaks on one of them only; set downchannel = "keep" to share one`

// DuplicateDownchannel tells clients that open a second downchannel that AVS knows of one for a
// device: their answer has a [NoticeHeader], and second is called. The bytes of
// both are left as they are.
func DuplicateDownchannel(origin *url.URL, second func(), next http.RoundTripper) http.RoundTripper {
	return &duplicateDownchannel{origin: origin, second: second, next: next}
}

type duplicateDownchannel struct {
	origin *url.URL
	second func()
	next   http.RoundTripper
	open   atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (n *duplicateDownchannel) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	resp.Header.Del(NoticeHeader) // it is ours
	if !opened(n.origin, req, resp) {
		return resp, nil
	}
	if n.open.Add(1) > 1 {
		resp.Header.Set(NoticeHeader, secondDownchannel)
		n.second()
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, end: sync.OnceFunc(func() { n.open.Add(-1) })}
	return resp, nil
}

// A countedBody calls end when it is closed, which is before the client learns that
// it has ended.
type countedBody struct {
	io.ReadCloser
	end func()
}

// Close closes the body.
func (b *countedBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
