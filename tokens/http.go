package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// callTimeout bounds a call to the provider in which nothing can be lost.
const callTimeout = 30 * time.Second

// Revoke tells the provider that a grant is no longer wanted (RFC 7009): its
// refresh token where there is one, which ends its access tokens too. It is for
// [Source.Revoke]. A provider without a known endpoint for that is told nothing,
// which is no error.
func (c *Client) Revoke(ctx context.Context, grant Grant) error {
	address, err := c.endpoint(ctx, revokeURL)
	if err != nil || address == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token := cmp.Or(grant.Refresh, grant.Access)
	answer, err := c.call(ctx, request{
		endpoint: revokeURL, form: url.Values{"token": {token.Reveal()}}, public: c.isPublic(grant),
	})
	if err != nil {
		return err
	}
	if answer.status/100 != 2 {
		return fmt.Errorf("the revocation endpoint answered %d", answer.status)
	}
	return nil
}

// httpClient follows no redirects.
func (c *Client) httpClient() *http.Client {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// A request is one form for one endpoint of the provider.
type request struct {
	endpoint  string // its name in the configuration
	form      url.Values
	public    bool // without the secret
	anonymous bool // without client_id
}

// call sends a request, and once more with ID and secret in a header where that may
// be what the provider wants. The error is an [*Error]; where it is about the call,
// there was no answer at all.
func (c *Client) call(ctx context.Context, r request) (*answer, error) {
	secret, err := c.secret(r.public)
	if err != nil {
		return nil, err
	}
	address, err := c.endpoint(ctx, r.endpoint)
	if err != nil {
		return nil, err
	}
	if !r.form.Has("grant_type") {
		r.form["grant_type"] = nil // else clientcredentials adds its own
	}
	conf := &clientcredentials.Config{
		ClientID: c.ID, ClientSecret: secret.Reveal(), TokenURL: address, EndpointParams: r.form,
		AuthStyle: oauth2.AuthStyleInParams, // probing, as x/oauth2 does it, would send a single-use code twice
	}
	if r.anonymous {
		conf.ClientID = ""
	}
	if (c.Basic || c.inHeader.Load()) && !secret.IsZero() {
		conf.AuthStyle = oauth2.AuthStyleInHeader
	}
	first, err := c.send(ctx, conf, r.endpoint)
	if err != nil || secret.IsZero() || !c.TryBasic || first.code() != "invalid_client" || !c.inHeader.CompareAndSwap(false, true) {
		return first, err
	}
	conf.AuthStyle = oauth2.AuthStyleInHeader
	second, err := c.send(ctx, conf, r.endpoint)
	if err != nil || !second.issues() && second.str("device_code") == "" {
		c.inHeader.Store(false) // it proves nothing about the way
	}
	if err == nil && second.code() == "invalid_client" {
		return first, nil
	}
	return second, err
}

// send has x/oauth2 send one request, and reads the answer itself: x/oauth2 throws
// away whole answers, with the rotated refresh token in them, for a wrong
// Content-Type or one odd member. Package clientcredentials lets a form name any grant.
func (c *Client) send(ctx context.Context, conf *clientcredentials.Config, endpoint string) (*answer, error) {
	client := c.httpClient()
	reader := &answerReader{next: client.Transport, clock: &c.clock, asksJSON: endpoint != tokenURL}
	if reader.next == nil {
		reader.next = http.DefaultTransport
	}
	client.Transport = reader
	_, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
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
	next     http.RoundTripper
	clock    *clock
	asksJSON bool // GitHub's device endpoint answers with a form else
	got      *answer
}

var errAnswerRead = errors.New("the answer was read")

func (r *answerReader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())                // a RoundTripper must not change the request it was given
	req.Header.Set("Accept-Encoding", "identity") // or net/http would unpack the answer, and lose what it cannot unpack
	if r.asksJSON {
		req.Header.Set("Accept", "application/json")
	}
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
// header of the last answer from one of its endpoints, to the second; negative =
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
