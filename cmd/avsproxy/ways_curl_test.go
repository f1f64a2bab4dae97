package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// ways are all ways in: curl's, and Go's for those that only the newest curl has.
func (d *doorway) ways() []way {
	clear, secure, api, plain := "http://localhost:"+d.port, "https://localhost:"+d.port, "https://"+insisted, "http://"+insisted
	return append([]way{
		d.curl("HTTP/1.1, chunked", clear, "--http1.1"),
		d.curl("HTTP/1.0", clear, "--http1.0").inOne(),
		d.curl("HTTP/1.1 over IPv4", "http://127.0.0.1:"+d.port),
		d.curl("HTTP/1.1 over IPv6", "http://[::1]:"+d.port),
		d.curl("HTTP/1.1 with a length", clear).inOne(),
		d.curl("HTTP/1.1, offered an upgrade", clear, "--http2"),
		d.curl("HTTP/1.1, keep-alive", clear, "-w", "%{stderr}%{num_connects}", "-o", os.DevNull, clear+"/ping", "--next"),
		d.curl("HTTP/1.1, Expect: 100-continue", clear, expecting).inOne(),
		d.curl("by the route's name", "http://avs.localhost:"+d.port),
		d.curl("h2c, prior knowledge", clear, "--http2-prior-knowledge"),
		d.curl("TLS, h2", secure),
		d.curl("TLS, h2, by the route's name", "https://avs.localhost:"+d.port),
		d.curl("TLS, http/1.1", secure, "--http1.1"),
		d.curl("TLS, http/1.1, Expect: 100-continue", secure, "--http1.1", expecting).inOne(),
		d.curl("unix socket", "http://localhost", "--unix-socket", d.unix),
		d.curl("unix socket, h2c", "http://localhost", "--unix-socket", d.unix, "--http2-prior-knowledge"),
		d.curl("unix socket, TLS", "https://localhost", "--unix-socket", d.unix),
		d.curl("absolute form", plain, "-x", clear),
		d.curl("absolute form, HTTP/1.0", plain, "-x", clear, "--http1.0").inOne(),
		d.curl("absolute form over TLS", plain, "-x", secure),
		d.curl("CONNECT, h2", api, "-x", clear),
		d.curl("CONNECT, http/1.1", api, "-x", clear, "--http1.1"),
		d.curl("CONNECT, http/1.1, Expect: 100-continue", api, "-x", clear, "--http1.1", expecting).inOne(),
		d.curl("CONNECT, clear", plain, "-x", clear, "-p"),
		d.curl("CONNECT, clear h2c", plain, "-x", clear, "-p", "--http2-prior-knowledge"),
		d.curl("CONNECT of HTTP/1.0, h2", api, "--proxy1.0", "localhost:"+d.port),
		d.curl("CONNECT over TLS, h2", api, "-x", secure),
		d.curl("CONNECT over TLS, http/1.1", api, "-x", secure, "--http1.1"),
	}, d.goWays()...)
}

// inOne makes of a way one whose client reads all of a body before it sends any.
func (w way) inOne() way {
	w.whole = true
	ask := w.ask
	w.ask = func(t *testing.T, q question) *reply {
		q.whole = true
		return ask(t, q)
	}
	return w
}

// expecting, among curl's arguments, has it send Expect: 100-continue with a body.
// Over HTTP/1.1 these are not in steps: before net/http writes the head of such an
// answer it waits for the read of the body that goes on (body.bodyRemains).
const expecting = "-HExpect: 100-continue"

func (d *doorway) curl(name, base string, args ...string) way {
	// The options before --next are for one transfer, so these stand twice. With
	// --max-time, curl would read nothing while it waits for its standard input.
	common := []string{"-sSN", "--cacert", d.root, "--proxy-cacert", d.root, "--noproxy", ""}
	return way{name: name, ask: func(t *testing.T, q question) *reply {
		dump := filepath.Join(t.TempDir(), "head")
		line := append([]string{"-q"}, common...)
		line = append(append(line, args...), common...)
		line = append(line, "-D", dump, "--suppress-connect-headers", base+q.target)
		for field, values := range q.header {
			for _, value := range values {
				line = append(line, "-H", field+": "+value)
			}
		}
		switch {
		case q.whole && q.upload:
			line = append(line, "--data-binary", "@-")
		case q.upload:
			line = append(line, "-X", q.method, "-T", ".") // standard input, while answers are read
		}
		if q.upload && !strings.Contains(strings.Join(args, " "), expecting) {
			line = append(line, "-H", "Expect:")
		}
		return startCurl(t, dump, q.upload, line)
	}}
}

func startCurl(t *testing.T, dump string, upload bool, line []string) *reply {
	t.Helper()
	cmd := exec.CommandContext(testkit.Context(t), "curl", line...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull}
	said := &bytes.Buffer{}
	cmd.Stderr = said
	r := &reply{head: func() (int, http.Header) { return readDump(t, dump) }}
	out, err := cmd.StdoutPipe()
	testkit.NoError(t, err)
	if upload {
		if r.upload, err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	testkit.NoError(t, cmd.Start())
	r.body = out
	r.end = func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("curl %q: %w: %s", line, err, said)
		}
		return nil
	}
	r.hangUp = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return r
}

// readDump reads the last head of those that curl was given.
func readDump(t *testing.T, file string) (status int, header http.Header) {
	t.Helper()
	text := testkit.Must(os.ReadFile(file))(t)
	head := text[max(0, bytes.LastIndex(text, []byte("HTTP/"))):]
	reader := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, err := reader.ReadLine()
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	status, err = strconv.Atoi(strings.Fields(line + " - -")[1])
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	fields, err := reader.ReadMIMEHeader()
	if err != nil && err != io.EOF {
		t.Fatalf("%v in %q", err, text)
	}
	return status, http.Header(fields)
}
