package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	callTimeout = 30 * time.Second // bounds one call to the provider
	answerMost  = 256 << 10        // bytes of an answer that are read
)

// Revoke tells the provider that a grant is no longer wanted (RFC 7009): its
// refresh token where there is one, which ends its access tokens too. It is for
// [Source.Revoke]. A provider without a known endpoint for that is told nothing,
// which is no error.
func (c *Client) Revoke(ctx context.Context, grant Grant) error {
	address, err := c.endpoint(ctx, "revoke_url")
	if err != nil || address == "" {
		return err
	}
	token := grant.Refresh
	if token.IsZero() {
		token = grant.Access
	}
	resp, err := c.post(ctx, address, url.Values{"token": {token.Reveal()}}, c.CodeBasedLinking && grant.Kind == deviceKind)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the revocation endpoint answered %d", resp.StatusCode)
	}
	return nil
}

// post sends a form that x/oauth2 has no way to send; public = without the secret.
func (c *Client) post(ctx context.Context, address string, form url.Values, public bool) (*http.Response, error) {
	secret, err := c.secret(public)
	if err != nil {
		return nil, err
	}
	basic := c.Basic && !secret.IsZero()
	if !basic {
		form.Set("client_id", c.ID)
	}
	if !basic && !secret.IsZero() {
		form.Set("client_secret", secret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the endpoint's URL is not valid")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if basic {
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(secret.Reveal()))
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	return resp, nil
}

// do makes a call and bounds what is read of the answer.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, answerMost)
	return resp, nil
}

func (c *Client) httpClient() *http.Client {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	if client.Timeout == 0 {
		client.Timeout = callTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// context lets x/oauth2 call the token endpoint as we do, with an eye on the clock.
func (c *Client) context(ctx context.Context) context.Context {
	client := c.httpClient()
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &clocked{next, &c.clock}
	return context.WithValue(ctx, oauth2.HTTPClient, client)
}

// skewLeast is more than what the way of an answer, half a call's bound at most,
// and the whole seconds of a Date can feign.
const skewLeast = 30 * time.Second

// Skew is how far this machine's clock is ahead of the provider's, by the Date
// header of the last answer from the token endpoint, to the second; negative =
// behind it. Zero = not known, or within 30 s, which harms nobody.
func (c *Client) Skew() time.Duration { return time.Duration(c.clock.skew.Load()) }

type clock struct{ skew atomic.Int64 }

func (c *clock) compare(date, sent time.Time, took time.Duration) {
	skew := sent.Round(0).Add(took / 2).Sub(date).Round(time.Second)
	if skew.Abs() <= skewLeast {
		skew = 0
	}
	c.skew.Store(int64(skew))
}

type clocked struct {
	next  http.RoundTripper
	clock *clock
}

func (c *clocked) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		c.clock.compare(date, sent, time.Since(sent))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMost))
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(mended(text)))
	return resp, nil
}

// mended is an answer whose expires_in x/oauth2 can read: it takes whole numbers
// alone and would throw the whole answer away, a rotated refresh token included.
func mended(text []byte) []byte {
	var answer map[string]json.RawMessage
	if json.Unmarshal(text, &answer) != nil || answer["expires_in"] == nil {
		return text
	}
	number := json.Number(strings.Trim(string(answer["expires_in"]), `"`))
	if _, err := number.Float64(); err != nil {
		number = "0" // as good as left out
	}
	answer["expires_in"] = strconv.AppendInt(nil, int64(seconds(number, 0, time.Second, lifeMost)/time.Second), 10)
	mended, err := json.Marshal(answer)
	if err != nil {
		return text
	}
	return mended
}

// drained reads what is left of an answer's body, and nil of one that is too long.
func drained(resp *http.Response) []byte {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return text
}
