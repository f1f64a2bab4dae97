package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func live(secrets ...string) func() []string { return func() []string { return secrets } }

// post begins an exchange with an ordinary request.
func post(r *Recorder, header ...Field) *Exchange {
	return r.Begin(Request{
		Began: time.Now(), Route: "avs", Method: "POST", Scheme: "http", Host: "localhost:9744",
		Target: "/v20160207/events", Proto: "HTTP/1.1", Header: header,
	})
}

func get(t testing.TB, r *Recorder, e *Exchange) Record {
	t.Helper()
	record, found := r.Get(e.ID())
	if !found {
		t.Fatalf("exchange %d is gone", e.ID())
	}
	return record
}

// known is the recording of an exchange.
func known(t testing.TB, r *Recorder, e *Exchange) *recording {
	t.Helper()
	r.readAll()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[e.ID()] == nil {
		t.Fatalf("exchange %d is gone", e.ID())
	}
	return r.all[e.ID()]
}

func har(t testing.TB, records ...Record) string {
	t.Helper()
	var out bytes.Buffer
	testkit.NoError(t, WriteHAR(&out, "avsproxy 1.2", slices.Values(records)))
	return out.String()
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text := testkit.Must(json.Marshal(v))(t)
	if !json.Valid(text) {
		t.Fatalf("no JSON: %s", text)
	}
	return string(text)
}

// everything is all that a recorder shows, with the bodies.
func everything(t testing.TB, r *Recorder) string {
	t.Helper()
	var all strings.Builder
	io.WriteString(&all, asJSON(t, r.List()))
	for _, s := range r.List() {
		record, _ := r.Get(s.ID)
		io.WriteString(&all, asJSON(t, record)+string(record.Request.Body.Bytes)+string(record.Response.Body.Bytes)+har(t, record))
	}
	return all.String()
}

// watch collects the events of a watcher until end is called.
func watch(t testing.TB, r *Recorder, follow uint64) (end func() []Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := r.Watch(ctx, follow)
	return func() (list []Event) {
		r.readAll()
		cancel()
		for event := range events {
			list = append(list, event)
		}
		return list
	}
}

// head is what is known with the head of a response.
func head(status int, proto string) exchange.Facts {
	return exchange.Facts{Status: status, Upstream: exchange.ConnInfo{Proto: proto}}
}

func seq(fields []Field) exchange.FieldList { return fieldList(fields) }
