package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

// startPlain serves an upstream without a credential, with bounds on what is remembered.
func startPlain(t *testing.T, bounds string, handler http.HandlerFunc) *runningProxy {
	t.Helper()
	upstream := testkit.TLSServer(t, handler, testkit.HTTP1)
	config := strings.Replace(firstByteConfig(t, upstream), "[[route]]", "[capture]\n"+bounds+"\n[[route]]", 1)
	return startProxy(t, config)
}

func thousandBytes(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1000)) }

// TestBodyLimitOfZeroKeepsNoBody: "0B" is no way to say "the default".
func TestBodyLimitOfZeroKeepsNoBody(t *testing.T) {
	proxy := startPlain(t, `body = "0B"`, thousandBytes)
	if got := fetch(t, proxy.Proxy[0]+"/x"); len(got) != 1000 {
		t.Fatalf("the client got %d bytes", len(got))
	}
	record := recordOf(t, proxy, "/x")
	if body := record.Response.Body; body.Kept != 0 || body.Size != 1000 || body.Complete {
		t.Errorf("kept of the body: %+v", body)
	}
}

// TestTotalLimitOfZeroKeepsNoExchange: exchanges are shown while they go on, and none is kept.
func TestTotalLimitOfZeroKeepsNoExchange(t *testing.T) {
	proxy := startPlain(t, "body = \"0B\"\ntotal = \"0B\"", thousandBytes)
	for range 3 {
		fetch(t, proxy.Proxy[0]+"/x")
	}
	listed(t, proxy, func(list api.Exchanges) bool { return list.Dropped == 3 && len(list.Exchanges) == 0 })
}

// allEnded waits until n exchanges are over: the end of one comes after its answer.
func allEnded(t *testing.T, proxy *runningProxy, n int) api.Exchanges {
	t.Helper()
	return listed(t, proxy, func(list api.Exchanges) bool {
		active := slices.ContainsFunc(list.Exchanges, func(s capture.Summary) bool { return s.State == "active" })
		return !active && len(list.Exchanges) == n
	})
}

// listed waits until the list is as wanted.
func listed(t *testing.T, proxy *runningProxy, wanted func(api.Exchanges) bool) (list api.Exchanges) {
	t.Helper()
	testkit.Eventually(t, "the wanted list of exchanges", func() bool {
		list = api.Exchanges{}
		testkit.NoError(t, json.Unmarshal([]byte(fetch(t, proxy.Console+"/api/exchanges")), &list))
		return wanted(list)
	})
	return list
}
