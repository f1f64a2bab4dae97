package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// callTimeout bounds a call to the provider in which nothing can be lost.
const callTimeout = 30 * time.Second

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
	basic := c.basic(secret)
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

// call has x/oauth2 send one request to the token endpoint, and reads the answer
// itself: x/oauth2 throws away whole answers, with the rotated refresh token in
// them, for a wrong Content-Type or one odd member. The error is an [*Error], and
// means that there was no answer at all.
func (c *Client) call(ctx context.Context, conf *oauth2.Config, send func(context.Context, *oauth2.Config) error) (*answer, error) {
	got, err := c.callOnce(ctx, conf, send)
	if err != nil || conf.ClientSecret == "" {
		return got, err
	}
	return c.orInHeader(got, func() (*answer, error) {
		other := *conf
		other.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		return c.callOnce(ctx, &other, send)
	})
}

// orInHeader asks once more, with ID and secret in a header, where that may be what
// the provider wants; else the first answer holds.
func (c *Client) orInHeader(first *answer, again func() (*answer, error)) (*answer, error) {
	if !c.TryBasic || first.code() != "invalid_client" || !c.inHeader.CompareAndSwap(false, true) {
		return first, nil
	}
	second, err := again()
	if err != nil || !second.issues() && second.str("device_code") == "" {
		c.inHeader.Store(false) // it proves nothing about the way
	}
	if err == nil && second.code() == "invalid_client" {
		return first, nil
	}
	return second, err
}

func (c *Client) callOnce(ctx context.Context, conf *oauth2.Config, send func(context.Context, *oauth2.Config) error) (*answer, error) {
	client := c.httpClient()
	reader := &answerReader{next: client.Transport, clock: &c.clock}
	if reader.next == nil {
		reader.next = http.DefaultTransport
	}
	client.Transport = reader
	client.Timeout = 0
	if c.HTTP != nil {
		client.Timeout = c.HTTP.Timeout
	}
	err := send(context.WithValue(ctx, oauth2.HTTPClient, client), conf)
	if reader.got != nil {
		return reader.got, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return nil, unreachable(err)
}

// An answerReader keeps the answer of one call from x/oauth2.
type answerReader struct {
	next  http.RoundTripper
	clock *clock
	got   *answer
}

var errAnswerRead = errors.New("the answer was read")

func (r *answerReader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())                // a RoundTripper must not change the request it was given
	req.Header.Set("Accept-Encoding", "identity") // or net/http would unpack the answer, and lose what it cannot unpack
	sent := time.Now()
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		r.clock.compare(date, sent, time.Since(sent))
	}
	r.got = readAnswer(resp)
	return nil, errAnswerRead
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

// drained reads what is left of an answer's body, and nil of one that is too long.
func drained(resp *http.Response) []byte {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return text
}
