package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"avsproxy/internal/httpexchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
)

// The peer is that of the connection, for each of its requests.
func TestPeerStaysForEveryRequestOfAConnection(t *testing.T) {
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%+v", httpexchange.Conn(r).Peer)
	}), DiscardLog())
	defer server.Close()
	ln := testkit.Listen(t)
	Serve(server, []net.Listener{ln}, nil)
	client := testkit.Dial(t, ln.Addr().String())
	reader := bufio.NewReader(client)
	for range 2 {
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp := testkit.Must(http.ReadResponse(reader, nil))(t)
		body := testkit.Body(t, resp)
		if want := fmt.Sprintf("%+v", peer.Peer{Transport: peer.Loopback, UID: os.Geteuid(), Known: true}); body != want {
			t.Errorf("%s, want %s", body, want)
		}
	}
}
