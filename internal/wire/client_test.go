package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

func TestOneReadIsOneDataFrame(t *testing.T) {
	sizes := []int{1, 2, 7, 1, 1, 5000, 3, 16384, 1}
	flushed := make(chan struct{})
	address := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, size := range sizes {
			fmt.Fprint(w, strings.Repeat(string(rune('a'+i)), size))
			http.NewResponseController(w).Flush()
		}
		close(flushed)
	}))
	conn, client := connect(t, address, nil)
	resp := roundTrip(t, conn, request(t, "GET", address, nil))
	body := client.Claim().Body(resp.Body)
	<-flushed // so that several frames are there at once
	testkit.NoError(t, client.Ping(t.Context()))
	var got []int
	p := make([]byte, 32<<10)
	for {
		n, err := body.Read(p)
		if n > 0 {
			got = append(got, n)
		}
		if err == io.EOF {
			break
		}
		testkit.NoError(t, err)
	}
	if !slices.Equal(got, sizes) {
		t.Errorf("read %v, sent %v", got, sizes)
	}
}

func TestFramesArePassedOnInSmallReads(t *testing.T) {
	address := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 50 {
			io.WriteString(w, "0123456789")
			http.NewResponseController(w).Flush()
		}
	}))
	conn, client := connect(t, address, func(c net.Conn) net.Conn { return torn{c, 3} })
	resp := roundTrip(t, conn, request(t, "GET", address, nil))
	body := client.Claim().Body(resp.Body)
	var got []byte
	for p := make([]byte, 4); ; {
		n, err := body.Read(p)
		got = append(got, p[:n]...)
		if err == io.EOF {
			break
		}
		testkit.NoError(t, err)
	}
	if string(got) != strings.Repeat("0123456789", 50) {
		t.Errorf("read %q", got)
	}
}

func TestPingIsAnsweredWhileBodiesFlow(t *testing.T) {
	address := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	}))
	conn, client := connect(t, address, func(c net.Conn) net.Conn { return torn{c, 1000} })
	resp := roundTrip(t, conn, request(t, "POST", address, io.LimitReader(zeros{}, 4<<20)))
	pinged := make(chan error)
	go func() {
		var err error
		for range 200 {
			err = errors.Join(err, client.Ping(t.Context()))
		}
		pinged <- err
	}()
	n, err := io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, <-pinged); err != nil || n != 4<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPingOfADeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		client := NewClient(near)
		go io.Copy(io.Discard, far) // reads, and never answers
		go io.WriteString(client, preface)
		time.Sleep(time.Minute)
		if client.ReadIdle() != time.Minute {
			t.Errorf("silent for %v", client.ReadIdle())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Ping(ctx); err != context.DeadlineExceeded {
			t.Error(err)
		}
		client.Close()
		if err := client.Ping(t.Context()); err != ErrClosed {
			t.Error(err)
		}
	})
}

func TestWhatWasNotProcessedIsKnown(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	client := NewClient(near)
	away := make(chan error, 2) // it is told twice
	client.Ended = func(cause error) { away <- cause }
	go func() {
		defer far.Close()
		framer := http2.NewFramer(far, far)
		framer.WriteRSTStream(3, http2.ErrCodeRefusedStream)
		framer.WriteRSTStream(5, http2.ErrCodeCancel)
		framer.WriteGoAway(5, http2.ErrCodeNo, nil)
	}()
	streams := map[uint32]*Stream{}
	for id := uint32(1); id <= 7; id += 2 {
		client.opened(frame{kind: http2.FrameHeaders, stream: id})
		streams[id] = client.Claim()
	}
	testkit.Must(io.Copy(io.Discard, client))(t)
	if cause := <-away; cause != nil {
		t.Error(cause)
	}
	for id, want := range map[uint32]bool{1: false, 3: true, 5: false, 7: true} {
		if got := streams[id].Unprocessed(); got != want {
			t.Errorf("stream %d: %t", id, got)
		}
		streams[id].Forget()
	}
	if len(client.streams) != 0 {
		t.Error(client.streams)
	}
}
