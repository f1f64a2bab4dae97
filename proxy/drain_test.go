package proxy

import (
	"context"
	"io"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestTunnelsDrain(t *testing.T) {
	for _, patient := range []bool{true, false} {
		eachConnect(t, func(t *testing.T, connect connector) {
			f := forwarding(t, "tunnel", false)
			conn, _ := connect(t, f, echo(t))
			io.WriteString(conn, "x")
			testkit.Must(io.ReadFull(conn, make([]byte, 1)))(t)
			ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
			defer cancel()
			if !patient {
				ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
			}
			ended := make(chan error, 2)
			go func() { ended <- f.tunnels.Drain(ctx) }()
			go func() { ended <- f.server.Shutdown(ctx) }()
			if patient { // what is under way still works, and its end is the end
				io.WriteString(conn, "y")
				if got := make([]byte, 1); string(mustRead(t, conn, got)) != "y" {
					t.Errorf("%q", got)
				}
				conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			rest, _ := io.ReadAll(conn)
			if patient != (string(rest) == "goodbye") {
				t.Errorf("patient %t: %q", patient, rest)
			}
			conn.Close()
			if a, b := <-ended, <-ended; patient && (a != nil || b != nil) {
				t.Error(a, b)
			}
		})
	}
}

func mustRead(t *testing.T, r io.Reader, p []byte) []byte {
	t.Helper()
	testkit.Must(io.ReadFull(r, p))(t)
	return p
}

func TestInterceptedConnectionsDrain(t *testing.T) {
	eachConnect(t, func(t *testing.T, connect connector) {
		for _, proto := range []string{"http/1.1", "h2"} {
			f := forwarding(t, "reject", false)
			conn, _ := connect(t, f, "avs.example:443")
			client := inside(t, conn, proto, "avs.example", f.roots.Pool())
			get(t, client, "https://avs.example/a")
			body, feed := io.Pipe()
			answered := make(chan string, 1)
			go func() {
				resp, err := client.Do(request(t, "POST", "https://avs.example/slow", body))
				if err != nil {
					answered <- err.Error()
					return
				}
				got, _ := io.ReadAll(resp.Body)
				answered <- string(got)
			}()
			io.WriteString(feed, "one ")
			testkit.Eventually(t, "the upload to arrive", func() bool { return f.reached() == 2 })
			ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
			defer cancel()
			down := make(chan error, 1)
			go func() { down <- f.server.Shutdown(ctx) }()
			io.WriteString(feed, "two")
			feed.Close()
			if got := <-answered; got != "POST /slow with the token one two" {
				t.Errorf("%s: %q", proto, got)
			}
			if err := <-down; err != nil {
				t.Errorf("%s: %v", proto, err)
			}
			conn.Close()
		}
	})
}
