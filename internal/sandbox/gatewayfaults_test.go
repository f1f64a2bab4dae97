package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// overBoth runs a test over HTTP/2 and HTTP/1.1.
func overBoth(t *testing.T, test func(*testing.T, *Sandbox, string)) {
	for name, o := range map[string]Options{"h2": {}, "HTTP/1.1": {HTTP1: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, o)
			test(t, s, loggedIn(t, s).AccessToken)
		})
	}
}

func TestFaultStatuses(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		for _, c := range []struct {
			fault, path string
			status      int
			after, want string
		}{
			{"400 x1", "/ping", 400, "", `"code":"INVALID_REQUEST_EXCEPTION"`},
			{"401 x1", "/ping", 401, "", ""},
			{"403 x1", "/v20160207/directives", 403, "", `"code":"UNAUTHORIZED_REQUEST_EXCEPTION"`},
			{"403 x1", "/v1/avs/speechrecognizer/recognize", 403, "", "InvalidAccessTokenException"},
			{"415 x1", "/ping", 415, "", `"code":"UNSUPPORTED_MEDIA_TYPE"`},
			{"429=120 x1", "/ping", 429, "120", `"code":"THROTTLING_EXCEPTION"`},
			{"500 x1", "/ping", 500, "", `"code":"INTERNAL_SERVICE_EXCEPTION"`},
			{"503=1 x1", "/ping", 503, "1", ""},
			{"599 x1", "/ping", 599, "", ""},
		} {
			setFaults(t, s.Faults(), c.fault)
			answer := send(t, client(t, s), ask(t, s, token, "GET", c.path, nil))
			if answer.StatusCode != c.status || answer.Header.Get("Retry-After") != c.after || !strings.Contains(string(answer.body), c.want) ||
				c.want == "" && len(answer.body) > 0 {
				t.Errorf("%s: %s %q, Retry-After %q", c.fault, answer.Status, answer.body, answer.Header.Get("Retry-After"))
			}
			if answer.Header.Get("x-amzn-requestid") == "" {
				t.Errorf("%s: no request id", c.fault)
			}
			ledger := s.Ledger()
			if last := ledger[len(ledger)-1]; last.Status != c.status || last.Fault != c.fault {
				t.Errorf("ledger: %d, fault %q", last.Status, last.Fault)
			}
		}
		answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil))
		if answer.StatusCode != http.StatusNoContent {
			t.Errorf("afterwards: %s", answer.Status)
		}
	})
}

func TestFaultStrikesTheNthRequest(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	setFaults(t, s.Faults(), "403@3")
	for i, want := range []int{204, 204, 403, 204} {
		if answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)); answer.StatusCode != want {
			t.Errorf("request %d: %s", i+1, answer.Status)
		}
	}
}

func TestFaultCutBody(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		for _, c := range []struct {
			fault, path string
			most, least int
		}{
			{"cut-body=10 x1", "/sandbox/bytes?n=100000", 10, 10},
			{"cut-body=64KiB x1", "/sandbox/bytes?n=100000", 64 << 10, 64 << 10},
			{"cut-body x1", "/sandbox/bytes?n=100000", 99_999, 1},
			{"cut-body x1", "/v20160207/directives", 1000, 1},
			{"cut-body=1MiB x1", "/sandbox/bytes?n=5", 5, 5},
		} {
			setFaults(t, s.Faults(), c.fault)
			response, err := client(t, s).Do(ask(t, s, token, "GET", c.path, nil))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err == nil || len(body) > c.most || len(body) < c.least {
				t.Errorf("%s of %s: %d bytes, %v", c.fault, c.path, len(body), err)
			}
		}
	})
}

func TestFaultSlowHeaders(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		const delay = 80 * time.Millisecond
		setFaults(t, s.Faults(), "slow-headers="+delay.String())
		begun := time.Now()
		answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil))
		if took := time.Since(begun); took < delay || answer.StatusCode != http.StatusNoContent {
			t.Errorf("%s after %v", answer.Status, took)
		}
	})
}

func TestFaultInformationalAnswers(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		for fault, want := range map[string]map[int]int{
			"early-hints x1": {103: informationalAnswers}, "early-hints=2, continue=4": {103: 2, 100: 4}, "continue, 503": {100: informationalAnswers},
		} {
			setFaults(t, s.Faults(), fault)
			got := map[int]int{}
			request := ask(t, s, token, "GET", "/ping", nil)
			trace := &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					if got[code]++; code == 103 && header.Get("Link") == "" {
						t.Error("no hint")
					}
					return nil
				},
			}
			answer := send(t, client(t, s), request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
			for code, n := range want {
				if got[code] != n {
					t.Errorf("%s: %v", fault, got)
				}
			}
			if answer.Header.Get("Link") != "" {
				t.Errorf("%s: the answer has the hint too", fault)
			}
		}
	})
}

func TestFaultTrailers(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		setFaults(t, s.Faults(), "trailers")
		answer := send(t, client(t, s), ask(t, s, token, "GET", "/sandbox/bytes?n=1000", nil))
		if answer.Trailer.Get(FaultTrailer) != "1" || answer.Trailer.Get(HashTrailer) == "" || len(answer.body) != 1000 {
			t.Errorf("%d bytes, %v", len(answer.body), answer.Trailer)
		}
		answer = send(t, client(t, s), ask(t, s, "none", "GET", "/sandbox/bytes?n=1000", nil))
		if answer.Trailer.Get(FaultTrailer) != "1" || answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s, %v", answer.Status, answer.Trailer)
		}
	})
}

func TestFaultHugeHeaders(t *testing.T) {
	overBoth(t, func(t *testing.T, s *Sandbox, token string) {
		setFaults(t, s.Faults(), "huge-headers=100KiB x1")
		answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil))
		if n := len(answer.Header.Get("X-Sandbox-Huge")); n != 100<<10 {
			t.Errorf("%d bytes", n)
		}
		setFaults(t, s.Faults(), "huge-headers x1")
		if answer, err := client(t, s).Do(ask(t, s, token, "GET", "/ping", nil)); err == nil {
			answer.Body.Close()
			t.Errorf("taken: %s", answer.Status)
		}
	})
}

func TestFaultCertificates(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s)
	c.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	for _, url := range []string{s.AVS() + "/ping", s.LWA() + "/ap/oa"} {
		for _, fault := range []string{"", "tls-wrong-name x1", "", "tls-expired x1"} {
			setFaults(t, s.Faults(), fault)
			answer, err := c.Get(url)
			if err == nil {
				io.Copy(io.Discard, answer.Body) // with it comes the session's ticket
				answer.Body.Close()
			}
			var name x509.HostnameError
			var invalid x509.CertificateInvalidError
			switch {
			case fault == "" && err != nil,
				strings.HasPrefix(fault, "tls-wrong-name") && !errors.As(err, &name),
				strings.HasPrefix(fault, "tls-expired") && (!errors.As(err, &invalid) || invalid.Reason != x509.Expired):
				t.Errorf("%s %q: %v", url, fault, err)
			}
		}
	}
}
