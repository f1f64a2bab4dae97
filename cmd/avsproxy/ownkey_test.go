package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// A browser that has the inspector open sends its cookie to every port of localhost:
// with a page that it asks of the proxy, too. The upstream is to have none of it.
func TestTheInspectorsKeyGoesToNoUpstream(t *testing.T) {
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["Cookie"], r.Header["Avsproxy-Console-Key"])
	}), testkit.HTTP1)
	proxy := startProxy(t, firstByteConfig(t, upstream))
	for cookie, want := range map[string]string{
		"avsproxy_inspector=s3cr3t":                   `[] []`,
		"a=1; avsproxy_inspector=s3cr3t; b=2":         `["a=1; b=2"] []`,
		"a=1;avsproxy_inspector=s3cr3t":               `["a=1"] []`,
		"avsproxy_inspector = s3cr3t;b=2":             `["b=2"] []`,
		"a=avsproxy_inspector=x;  b":                  `["a=avsproxy_inspector=x;  b"] []`,
		"avsproxy_inspector=1; avsproxy_inspector=22": `[] []`,
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", proxy.Proxy[0]+"/", nil)
		req.Header.Set("Cookie", cookie)
		req.Header.Set("Avsproxy-Console-Key", "s3cr3t")
		resp := testkit.Must(http.DefaultClient.Do(req))(t)
		got := testkit.Body(t, resp)
		if got != want || strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the upstream got %s, want %s", cookie, got, want)
		}
	}
}
