package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

// refusalsOf are the exchanges that were refused with the code.
func refusalsOf(t *testing.T, p *runningProxy, code string) (list []capture.Summary) {
	t.Helper()
	var all struct{ Exchanges []capture.Summary }
	testkit.NoError(t, json.Unmarshal([]byte(fetch(t, p.Console+"/api/exchanges")), &all))
	for _, e := range all.Exchanges {
		if e.Error == code {
			list = append(list, e)
		}
	}
	return list
}

// refusalOf is the last of them.
func refusalOf(t *testing.T, p *runningProxy, code string) (record capture.Record) {
	t.Helper()
	list := refusalsOf(t, p, code)
	if len(list) == 0 {
		t.Fatalf("no %s was recorded", code)
	}
	path := fmt.Sprint("/api/exchanges/", list[len(list)-1].ID)
	testkit.NoError(t, json.Unmarshal([]byte(fetch(t, p.Console+path)), &record))
	return record
}

func TestRefusedRequestsAreRecordedWithoutSecrets(t *testing.T) {
	const key = testkit.Canary + "-key-of-this-test"
	g := startTarget(t, fmt.Sprintf("client_key = %q", key))
	for _, c := range []struct {
		request, code, target, why string
		status                     int
	}{
		{"POST /a HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: Bearer c4n4ry-wrong\r\nAvsproxy-Key: c4n4ry-wrong\r\n", "client_key_required", "/a", "configured with a client_key", 407},
		{"POST /b HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer c4n4ry-wrong\r\nAvsproxy-Key: " + key + "\r\n", "unknown_host", "/b", `the host "evil.example"`, 421},
		{"POST /c?token=c4n4ry-wrong HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nProxy-Authorization: Bearer " + key + "\r\n", "origin_forbidden", "/c?token=***", "marks of a web page", 403},
		{"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nAvsproxy-Key: " + key + "\r\n", "not_allowed", "evil.example:443", "no route belongs", 403},
	} {
		body := "Content-Length: 8\r\n\r\nc4n4ry!!"
		if strings.HasPrefix(c.request, "CONNECT") {
			body = "\r\n"
		}
		g.send(t, c.request+"Cookie: s="+key+"\r\nConnection: close\r\n"+body)
		r := refusalOf(t, g.runningProxy, c.code)
		if r.Target != c.target || r.Status != c.status || r.Decision != "refused" || r.State != "done" || !strings.Contains(r.Ended, c.why) {
			t.Errorf("%s: recorded %+v", c.code, r)
		}
	}
	said := fetch(t, g.Console+"/har")
	for _, entry := range refusalsOf(t, g.runningProxy, "client_key_required") {
		said += fetch(t, fmt.Sprint(g.Console, "/api/exchanges/", entry.ID))
	}
	testkit.NoCanary(t, "the console", said)
	if g.arrivals.Load() != 0 {
		t.Error("the upstream was asked")
	}
}

// A web page may ask as often as it likes.
func TestRefusalsDoNotPushOutTheTraffic(t *testing.T) {
	g := startTarget(t, "")
	g.get(t, "localhost", "", "")
	for range 200 {
		g.get(t, "localhost", "Origin: https://evil.example", "Padding: "+strings.Repeat("x", 30<<10), "", "")
	}
	if n := len(refusalsOf(t, g.runningProxy, "origin_forbidden")); n != 16 {
		t.Errorf("%d of 200 were recorded", n)
	}
	if r := recordOf(t, g.runningProxy, "/x"); r.ID != 1 || r.Status != 200 {
		t.Errorf("the traffic is %+v", r.Summary)
	}
	if n := len(refusalsOf(t, g.runningProxy, "")); n != 1 {
		t.Errorf("%d exchanges passed", n)
	}
}
