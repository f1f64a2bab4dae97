package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func TestSniffGivesTheFirstByteBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, time.Second)
		defer ln.Close()
		client := pipes.Dial()
		defer client.Close()
		go io.WriteString(client, "GET /")

		c := testkit.Must(ln.Accept())(t)
		defer c.Close()
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("empty read: %d, %v", n, err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "GET /" {
			t.Errorf("read %q, %v", got, err)
		}
		if _, ok := c.(interface{ NetConn() net.Conn }).NetConn().(*testkit.PipeEnd); !ok {
			t.Error("NetConn is not what the listener accepted")
		}
		time.Sleep(time.Hour) // the deadline of the first byte is gone
		go io.WriteString(client, "x")
		if _, err := c.Read(got); err != nil {
			t.Error(err)
		}
	})
}

func TestSniffClosesSilentConnectionsWithoutBlockingOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, 10*time.Second)
		defer ln.Close()
		begin := time.Now()
		silent, slow, quick := pipes.Dial(), pipes.Dial(), pipes.Dial()
		for _, c := range []net.Conn{silent, slow, quick} {
			defer c.Close()
		}
		go quick.Write([]byte("q"))
		go func() {
			time.Sleep(9 * time.Second)
			slow.Write([]byte("s"))
		}()

		for i, want := range []time.Duration{0, 9 * time.Second} {
			defer testkit.Must(ln.Accept())(t).Close()
			if waited := time.Since(begin); waited != want {
				t.Errorf("connection %d came after %v, want %v", i, waited, want)
			}
		}
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the silent one read %v", err)
		}
		if waited := time.Since(begin); waited != 10*time.Second {
			t.Errorf("the silent one was closed after %v", waited)
		}
	})
}

func TestSniffWaitsTenSecondsByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, 0)
		defer ln.Close()
		go ln.Accept()
		silent := pipes.Dial()
		begin := time.Now()
		silent.Read(make([]byte, 1))
		if waited := time.Since(begin); waited != 10*time.Second {
			t.Errorf("closed after %v", waited)
		}
	})
}

func TestSniffSilentOnesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		pipes := testkit.NewPipeListener()
		ln := newSniffer(pipes, nil, time.Hour, limit)
		defer ln.Close()
		begin := time.Now()
		var silent []net.Conn
		for range limit {
			silent = append(silent, pipes.Dial())
		}
		for _, c := range silent {
			defer c.Close()
		}
		speaker := pipes.Dial()
		go speaker.Write([]byte("x"))
		testkit.Must(ln.Accept())(t).Close()
		if waited := time.Since(begin); waited != minWait {
			t.Errorf("the speaker was kept waiting %v", waited)
		}
		if _, err := silent[0].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest read %v", err)
		}
		go silent[1].Write([]byte("y"))
		testkit.Must(ln.Accept())(t).Close()
	})
}

// A burst of many more than the limit loses nobody who speaks, also while nobody calls Accept.
func TestSniffLosesNoClientOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2
		pipes := testkit.NewPipeListener()
		ln := newSniffer(pipes, nil, time.Hour, limit)
		defer ln.Close()
		for i := range 4 * limit {
			client := pipes.Dial()
			defer client.Close()
			go client.Write([]byte{'a' + byte(i)})
		}
		defer testkit.Must(ln.Accept())(t).Close()
		time.Sleep(time.Minute)
		if held := len(ln.places.taken); held != limit {
			t.Errorf("%d are held, want %d", held, limit)
		}
		for range 4*limit - 1 {
			defer testkit.Must(ln.Accept())(t).Close()
		}
	})
}

func TestSniffCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, time.Hour)
		opened := pipes.Dial()
		go opened.Write([]byte("x"))
		defer testkit.Must(ln.Accept())(t).Close()
		silent, ready := pipes.Dial(), pipes.Dial()
		go ready.Write([]byte("x"))
		synctest.Wait()

		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		for _, c := range []net.Conn{silent, ready} {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("read %v", err)
			}
		}
		if c, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, %v", c, err)
		}
	}) // synctest fails if a goroutine is left
}

func TestSniffCloseWakesAccept(t *testing.T) {
	for name, end := range map[string]func(outer, inner net.Listener){
		"own":   func(outer, _ net.Listener) { outer.Close() },
		"inner": func(_, inner net.Listener) { inner.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pipes := testkit.NewPipeListener()
				ln := Sniff(pipes, nil, time.Hour)
				go func() {
					time.Sleep(time.Second)
					end(ln, pipes)
				}()
				for range 2 {
					if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
						t.Errorf("got %v", err)
					}
				}
			})
		})
	}
}

func TestSniffCloseBeforeAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := Sniff(testkit.NewPipeListener(), nil, time.Hour)
		ln.Close()
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSniffPassesErrorsOnOneForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, time.Second)
		defer ln.Close()
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		go func() {
			for range 3 {
				pipes.Errors <- full
			}
			client := pipes.Dial()
			client.Write([]byte("x"))
		}()
		for range 3 {
			_, err := ln.Accept()
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() {
				t.Errorf("got %v", err)
			}
		}
		testkit.Must(ln.Accept())(t).Close()
	})
}

func TestSniffClosesTLSWithoutConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := testkit.NewPipeListener()
		ln := Sniff(pipes, nil, time.Hour)
		defer ln.Close()
		go ln.Accept()
		client := pipes.Dial()
		if err := tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
			t.Error("want an error")
		}
	})
}
