package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/tokens"
)

// A provider that ends the old token when it gives the new one, every few seconds,
// costs no request: who is refused meanwhile waits for the renewal under way.
func TestPromise5_NoRequestIsRefusedAroundARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var valid, refused, failed, sent atomic.Int64
		source := &tokens.Source{Name: "api", Store: &tokens.MemoryStore{}, Unattended: true}
		source.Renew = func(context.Context, tokens.Grant) (tokens.Grant, error) {
			n := valid.Add(1)
			time.Sleep(200 * time.Millisecond) // the answer is on its way
			now := time.Now().Round(0)
			return tokens.Grant{Kind: "x", Access: tokens.Secret(fmt.Sprint("token-", n)), Renewed: now, Expiry: now.Add(8 * time.Second)}, nil
		}
		upstream := fakeSender{&url.URL{Scheme: "https", Host: "api.test"}, func(req *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			status := http.StatusOK
			if req.Header.Get("Authorization") != fmt.Sprint("Bearer token-", valid.Load()) {
				status = http.StatusUnauthorized
				refused.Add(1)
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}}
		inject := routeTo(upstream, Credential{Source: source, HealOn: []int{401}})
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(7 * time.Millisecond) {
					req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.test/", nil)
					resp, err := inject.RoundTrip(req)
					sent.Add(1)
					if err != nil || resp.StatusCode != http.StatusOK {
						failed.Add(1)
					}
				}
			})
		}
		clients.Wait()
		if failed.Load() > 0 || refused.Load() == 0 || valid.Load() < 7 {
			t.Errorf("%d of %d requests failed; %d were refused once, around %d renewals", failed.Load(), sent.Load(), refused.Load(), valid.Load())
		}
	})
}
