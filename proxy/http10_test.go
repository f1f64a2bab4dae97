package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/testkit"
)

// An old client takes whatever comes first for the answer, and the end of the
// connection for the end of the answer.
func TestHTTP10ClientSeesNoInterimAnswerAndNoCleanEndOfABrokenOne(t *testing.T) {
	serve := func(w *responseWriter, _ *http.Request, _ *exchange.Exchange) {
		defer abortResponse(w)
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "half of it")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	server := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		new(Handler).observe(w, r, exchange.New(httpexchange.Conn(r), httpexchange.Head(r)), "api", serve)
	}))
	conn := testkit.Dial(t, strings.TrimPrefix(server.URL, "http://"))
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err == nil {
		t.Error("a broken answer ended as if it were whole")
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.0 200 ") {
		t.Errorf("the answer begins with %.40q", answer)
	}
}
