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
)

// The peer is that of the connection, for each of its requests.
func TestPeerStaysForEveryRequestOfAConnection(t *testing.T) {
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%+v", httpexchange.Conn(r).Peer)
	}), DiscardLog())
	defer server.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	Serve(server, []net.Listener{ln}, nil)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	reader := bufio.NewReader(client)
	for range 2 {
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if want := fmt.Sprintf("%+v", peer.Peer{Transport: peer.Loopback, UID: os.Geteuid(), Known: true}); string(body) != want {
			t.Errorf("%s, want %s", body, want)
		}
	}
}
