package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// Python's h2 is a client of HTTP/2 that others wrote, which looks closely at each frame.
func TestPythonsH2IsServed(t *testing.T) {
	python := testkit.NeedTool(t, "python3:h2")
	server := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path == "/endless" {
			if _, err := w.Write(make([]byte, 10_000)); err != nil {
				return
			}
		}
		w.Header().Set("Link", "</x>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Saw", r.Header.Get("Authorization"))
		w.Header().Set("Trailer", "Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("Sum", r.Trailer.Get("Sum"))
	}))
	config := fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = %q\nca_file = %q\ncredential = \"fixed\"\n"+
		"[credential.fixed]\nprovider = \"oauth2\"\ngrant = \"static\"\ntoken = \"secret-of-the-test\"\n", server.URL, testkit.CertFile(t, server))
	_, address := startChild(t, config)
	_, port, _ := strings.Cut(address, ":")
	out, err := exec.CommandContext(testkit.Context(t), python, "testdata/clients/h2client.py", port).CombinedOutput()
	if err != nil || strings.Count(string(out), "PASS") != 6 {
		t.Errorf("%v\n%s", err, out)
	}
}
