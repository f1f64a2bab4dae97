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
	ln := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	Serve(server, []net.Listener{ln}, nil)
	client := testkit.Must(net.Dial("tcp", ln.Addr().String()))(t)
	defer client.Close()
	reader := bufio.NewReader(client)
	for range 2 {
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp := testkit.Must(http.ReadResponse(reader, nil))(t)
		body, _ := io.ReadAll(resp.Body)
		if want := fmt.Sprintf("%+v", peer.Peer{Transport: peer.Loopback, UID: os.Geteuid(), Known: true}); string(body) != want {
			t.Errorf("%s, want %s", body, want)
		}
	}
}
