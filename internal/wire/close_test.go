package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// TLS says goodbye, for which a dead connection with full buffers has no room.
func TestCloseDoesNotWaitForADeadConnection(t *testing.T) {
	serverConf, clientConf := testkit.TLSConfigs(t)
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		server, client := tls.Server(far, serverConf), tls.Client(near, clientConf)
		go server.Handshake()
		testkit.NoError(t, client.Handshake())
		synctest.Wait()
		c := NewClient(client) // and nobody reads what it writes
		began := time.Now()
		c.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPingDoesNotWaitForRoomToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		client := NewClient(near)
		go io.ReadFull(far, make([]byte, len(preface))) // and no more
		io.WriteString(client, preface)
		defer client.Close()
		time.AfterFunc(time.Minute, func() { client.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := client.Ping(ctx); err != context.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
