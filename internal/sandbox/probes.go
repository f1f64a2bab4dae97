package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"avsproxy/internal/avs"
)

// HashTrailer carries the hex SHA-256 of the body of GET /sandbox/bytes.
const HashTrailer = "X-Sandbox-Sha256"

const (
	maxProbeBytes = 1 << 30
	maxProbeParts = 1000
)

// probe answers paths that AVS does not have, for tests of the proxies between.
func probe(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /sandbox/echo":
		echo(w, r)
	case "GET /sandbox/bytes":
		bytesOut(w, r)
	case "GET /sandbox/slow-multipart":
		slowMultipart(w, r)
	case "GET /sandbox/redirect":
		// A name that never resolves (RFC 2606): no host can receive a token sent there.
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	default:
		notFound(w, r)
	}
}

// echo sends back each chunk as it arrives, and then the trailers.
func echo(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.EnableFullDuplex()
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if r.Header.Get("Expect") == "" { // otherwise the first read sends the 100 Continue, which must come first
		control.Flush()
	}
	if _, err := io.Copy(flushWriter{w, control}, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	for name, values := range r.Trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
}

type flushWriter struct {
	w       io.Writer
	control *http.ResponseController
}

// Write flushes what it writes.
func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.control.Flush()
	return n, err
}

// Bytes returns the n bytes of the answer to GET /sandbox/bytes?n=N: byte i is i modulo
// 251. 251 is a prime and so no factor of a buffer's size, which would hide a shift.
func Bytes(n int64) io.Reader {
	return io.LimitReader(new(pattern), n)
}

type pattern struct{ next byte }

// Read fills p and never fails.
func (s *pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = s.next
		s.next = (s.next + 1) % 251
	}
	return len(p), nil
}

func bytesOut(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil || n < 0 || n > maxProbeBytes {
		invalidRequest(w, "n must be a number of bytes, at most 1 GiB")
		return
	}
	w.Header().Set("Content-Type", avs.AudioType)
	w.Header().Set("Trailer", HashTrailer)
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), Bytes(n)); err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(HashTrailer, hex.EncodeToString(sum.Sum(nil)))
}

// slowMultipart sends the boundary line and the first part at once, and each further
// part after a gap.
func slowMultipart(w http.ResponseWriter, r *http.Request) {
	gap, err := time.ParseDuration(r.URL.Query().Get("gap"))
	n, err2 := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || err2 != nil || gap < 0 || n < 1 || n > maxProbeParts {
		invalidRequest(w, "gap must be a duration and n a number of parts, from 1 to 1000")
		return
	}
	answer := openMultipart(w)
	for i := range n - 1 {
		answer.Write(numbered(i + 1))
		http.NewResponseController(w).Flush()
		if !pause(r.Context(), gap) {
			panic(http.ErrAbortHandler)
		}
	}
	answer.Last(numbered(n))
}

func numbered(i int) avs.Part {
	return avs.Part{ContentType: avs.JSONType, Body: mustJSON(avs.Directive{
		Header:  avs.Header{Namespace: "Sandbox", Name: "Part", MessageID: fmt.Sprintf("part-%d", i)},
		Payload: map[string]int{"part": i},
	})}
}

// pause waits, and reports whether ctx has not ended meanwhile.
func pause(ctx context.Context, gap time.Duration) bool {
	select {
	case <-time.After(gap):
		return true
	case <-ctx.Done():
		return false
	}
}
