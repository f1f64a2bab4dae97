package proxy

import (
	"io"
	"net/http"
	"sync"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
)

// followers are those who follow one exchange.
type followers []exchange.Follower

// end tells those who follow an exchange that it ended without an answer.
func (all followers) end(err error) {
	for _, f := range all {
		f.End(err)
	}
}

// feed shows an answer to those who follow it.
func (all followers) feed(resp *http.Response) {
	if len(all) == 0 {
		return
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	for _, f := range all {
		f.Head(resp.StatusCode, httpexchange.Fields(resp.Header))
	}
	if resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		all.end(nil)
		return
	}
	resp.Body = &followedBody{ReadCloser: resp.Body, followers: all}
}

// A followedBody shows what is read of an answer to those who follow it.
type followedBody struct {
	io.ReadCloser
	followers followers
	over      sync.Once
}

// Read reads on.
func (b *followedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	for _, f := range b.followers {
		f.Data(p[:n])
	}
	if err != nil {
		b.end()
	}
	return n, err
}

// Close closes the body, which is before the client learns that it has ended.
func (b *followedBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

func (b *followedBody) end() { b.over.Do(func() { b.followers.end(nil) }) }
