package sandbox

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// What Node's clients call HPE_INVALID_CONSTANT: frames, whatever was agreed on.
func TestHTTP1ClientsGetSettingsAndTheEnd(t *testing.T) {
	s := start(t, Options{})
	for name, protocols := range map[string][]string{"no ALPN": nil, "http/1.1": {"http/1.1"}, "unknown": {"spdy/3"}, "h2": {"h2"}} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.AVS(), "https://"), &tls.Config{RootCAs: s.Pool(), NextProtos: protocols})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		if agreed := conn.ConnectionState().NegotiatedProtocol; agreed != "" && agreed != "h2" {
			t.Errorf("%s: agreed on %q", name, agreed)
		}
		io.WriteString(conn, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
		answer, err := io.ReadAll(conn)
		if err != nil || len(answer) < 9 || http2.FrameType(answer[3]) != http2.FrameSettings || binary.BigEndian.Uint32(answer[5:9]) != 0 {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	if open, total := s.Connections(); open != 0 || total != 0 || len(s.Ledger()) != 0 {
		t.Errorf("%d connections are open of %d", open, total)
	}
}
