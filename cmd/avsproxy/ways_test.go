package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

// A way is one of those in which a request can come in.
type way struct {
	name  string
	whole bool // the client sends nothing before it has all of a body
	ask   func(t *testing.T, q question) *reply
}

// A question is what every way is asked.
type question struct {
	method, target string
	header         http.Header
	upload         bool // it has a body, which is written to the reply
	whole          bool // the body's length is to be sent before it
}

// A reply is an exchange that has begun.
type reply struct {
	upload io.WriteCloser // nil without a body
	body   io.Reader
	head   func() (status int, header http.Header) // may be called once the body has begun
	end    func() error                            // after the body
	hangUp func()                                  // in the middle of it
}

// seen is what both ends make of an exchange; it must not depend on the way.
type seen struct {
	Method, Path, Query, Authority, Proto string
	Fields                                []string
	BodySize                              int64
	BodySHA256                            string
	Done                                  bool
	Status                                int
	Header                                http.Header
	Answer                                string // its SHA-256, or what else is to be compared
}

func TestEveryClientGetsTheSameAnswerOnEveryListener(t *testing.T) {
	testkit.NeedTool(t, "curl")
	d := openDoors(t)
	for name, exchange := range map[string]func(*testing.T, *doorway, way) seen{
		"GET": get70000Bytes, "streamed POST": echoInSteps, "downchannel": hearDirectives,
	} {
		t.Run(name, func(t *testing.T) {
			ways := d.ways()
			want := exchange(t, d, ways[0])
			t.Logf("%s: %+v", ways[0].name, want)
			for _, w := range ways[1:] {
				if diff := cmp.Diff(want, exchange(t, d, w)); diff != "" {
					t.Errorf("%s (-), %s (+):\n%s", ways[0].name, w.name, diff)
				}
			}
		})
	}
	if _, total := d.amazon.Connections(); total != 1 {
		t.Errorf("%d connections to the upstream", total)
	}
}

// fields are what the clients here say alike. They would otherwise differ by what
// each of them adds of its own accord.
func fields() http.Header {
	return http.Header{
		"User-Agent": {"ways"}, "Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer dummy"},
		"X-Twice": {"a", "b"}, "X-Odd": {"é, \"q\"; a=b"},
	}
}

func get70000Bytes(t *testing.T, d *doorway, w way) seen {
	r := w.ask(t, question{"GET", "/sandbox/bytes?n=70000&a=%2f%20+;b&&c", fields(), false, false})
	answer := readAll(t, w, r)
	if want, _ := io.ReadAll(sandbox.Bytes(70000)); !bytes.Equal(answer, want) {
		t.Errorf("%s: the answer has %d bytes, or others", w.name, len(answer))
	}
	return d.look(t, w, r, "/sandbox/bytes", hash(answer))
}

// echoInSteps sends each chunk when the one before it has come back.
func echoInSteps(t *testing.T, d *doorway, w way) seen {
	q := question{"POST", "/sandbox/echo?x=%41", fields(), true, false}
	q.header["Content-Type"] = []string{"application/octet-stream"}
	r := w.ask(t, q)
	var sent, back []byte
	for i, size := range []int{1, 5_000, 40_000} {
		chunk := bytes.Repeat([]byte{byte('a' + i)}, size)
		if _, err := r.upload.Write(chunk); err != nil {
			t.Fatalf("%s: chunk %d: %v", w.name, i, err)
		}
		sent = append(sent, chunk...)
		if w.whole {
			continue
		}
		n, err := io.ReadFull(r.body, chunk)
		if back = append(back, chunk[:n]...); err != nil {
			t.Fatalf("%s: chunk %d came back as %d bytes, %v", w.name, i, n, err)
		}
	}
	r.upload.Close()
	back = append(back, readAll(t, w, r)...)
	if !bytes.Equal(back, sent) {
		t.Errorf("%s: %d bytes were sent, %d came back, or others", w.name, len(sent), len(back))
	}
	return d.look(t, w, r, "/sandbox/echo", hash(back))
}

// hearDirectives takes the greeting and one directive that is sent later, and hangs up.
func hearDirectives(t *testing.T, d *doorway, w way) seen {
	r := w.ask(t, question{"GET", "/v20160207/directives", fields(), false, false})
	heard := until(t, w, r.body, "ResetUserInactivity", "--") // the boundary line behind it
	if taken := d.amazon.Direct("Ways", "Told", w.name); taken == 0 {
		t.Errorf("%s: the downchannel has ended", w.name)
	}
	until(t, w, r.body, `"name":"Told"`, w.name)
	got := d.look(t, w, r, "/v20160207/directives", "")
	r.hangUp()
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/related; boundary=") || !strings.Contains(heard, "application/json") {
		t.Errorf("%s: %v, %q", w.name, got.Header, heard)
	}
	got.Header.Del("Content-Type")    // the boundary is new each time
	got.Header.Del("Avsproxy-Notice") // the downchannel of the way before may still be closing
	return got
}

// until reads until all of the words have come.
func until(t *testing.T, w way, body io.Reader, words ...string) string {
	t.Helper()
	var heard []byte
	for {
		missing := slices.ContainsFunc(words, func(word string) bool { return !bytes.Contains(heard, []byte(word)) })
		if !missing {
			return string(heard)
		}
		chunk := make([]byte, 4096)
		n, err := body.Read(chunk)
		if heard = append(heard, chunk[:n]...); err != nil {
			t.Fatalf("%s: %v after %q", w.name, err, heard)
		}
	}
}

func readAll(t *testing.T, w way, r *reply) []byte {
	t.Helper()
	answer, err := io.ReadAll(r.body)
	if err != nil {
		t.Fatalf("%s: after %d bytes: %v", w.name, len(answer), err)
	}
	if err := r.end(); err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	return answer
}

// ownToWay are fields in which the versions of HTTP differ by nature, and those of
// one exchange alone. Only Content-Length and Expect may differ at the upstream.
var ownToWay = []string{"Date", "Connection", "Transfer-Encoding", "Content-Length", "Trailer", "X-Amzn-Requestid"}

// look puts together what arrived at the upstream and what came back.
func (d *doorway) look(t *testing.T, w way, r *reply, path, answer string) seen {
	t.Helper()
	ledger := d.amazon.Ledger()
	last := ledger[len(ledger)-1]
	if last.Path != path {
		t.Fatalf("%s: %s arrived, and not %s", w.name, last.Path, path)
	}
	got := seen{
		Method: last.Method, Path: last.Path, Query: last.Query, Authority: last.Authority, Proto: last.Proto,
		BodySize: last.BodySize, BodySHA256: last.BodySHA256, Done: last.Done, Answer: answer,
	}
	for _, field := range last.Fields {
		if name := strings.ToLower(field[0]); name != "content-length" && name != "expect" {
			got.Fields = append(got.Fields, name+": "+field[1])
		}
	}
	slices.Sort(got.Fields)
	got.Status, got.Header = r.head()
	for _, name := range ownToWay {
		got.Header.Del(name)
	}
	return got
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
