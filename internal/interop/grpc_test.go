package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// errorRounds is how often an error is asked for: an answer that was torn now and then
// would pass once.
const errorRounds = 40

// A caller is a grpc-go client of the program.
type caller struct {
	*grpc.ClientConn
	server *grpcServer
}

func TestGRPCGo(t *testing.T) {
	server, p := startGRPC(t)
	address := "passthrough:///localhost:" + p.serve(t)
	root := testkit.Must(os.ReadFile(filepath.Join(p.folder, "ca.pem")))(t)
	for door, how := range map[string]credentials.TransportCredentials{
		"h2c": insecure.NewCredentials(), "TLS": credentials.NewClientTLSFromCert(testkit.PoolOf(t, root), "localhost"),
	} {
		conn := testkit.Must(grpc.NewClient(address, grpc.WithTransportCredentials(how), grpc.WithNoProxy(),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(textCodec{}))))(t)
		t.Cleanup(func() { conn.Close() })
		c := caller{conn, server}
		for name, test := range map[string]func(*testing.T){
			"unary": c.unary, "server streaming": c.serverStreaming, "client streaming": c.clientStreaming, "both streaming": c.bothStreaming,
			"errors before a message": c.errorsFirst, "errors behind messages": c.errorsLate, "an error to a call that goes on": c.errorsEarly,
			"deadline": c.deadline, "cancel": c.cancel, "large messages": c.large,
		} {
			t.Run(door+", "+name, test)
		}
	}
}

// call begins a call of any kind.
func (c caller) call(ctx context.Context, t *testing.T, options ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	return testkit.Must(c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/interop.Texts/Any", options...))(t)
}

func send(t *testing.T, stream grpc.ClientStream, message string) {
	t.Helper()
	testkit.NoError(t, stream.SendMsg(&message))
}

func receive(t *testing.T, stream grpc.ClientStream, want string) {
	t.Helper()
	var got string
	if err := stream.RecvMsg(&got); err != nil || got != want {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
}

func ends(t *testing.T, stream grpc.ClientStream, code codes.Code, message string) {
	t.Helper()
	var got string
	err := stream.RecvMsg(&got)
	if code == codes.OK && !errors.Is(err, io.EOF) {
		t.Fatalf("%q, %v, want the end", got, err)
	}
	if code != codes.OK && (status.Code(err) != code || status.Convert(err).Message() != message) {
		t.Fatalf("%q, %v, want %v %q", got, err, code, message)
	}
}

func (c caller) unary(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(testkit.Context(t), "x-word", "hello", "x-binary-bin", "\x00\xff")
	var head, trailer metadata.MD
	said, heard := "hello", ""
	testkit.NoError(t, c.Invoke(ctx, "/interop.Texts/One", &said, &heard, grpc.Header(&head), grpc.Trailer(&trailer)))
	if heard != said || fmt.Sprint(head["x-seen"], head["x-binary-bin"], trailer["x-end"]) != "[hello] [\x00\xff] [ended]" {
		t.Errorf("%q, %v, %v", heard, head, trailer)
	}
}

func (c caller) serverStreaming(t *testing.T) {
	stream := c.call(testkit.Context(t), t)
	send(t, stream, "count 3")
	testkit.NoError(t, stream.CloseSend())
	for range 3 {
		receive(t, stream, "counted")
	}
	ends(t, stream, codes.OK, "")
	if got := stream.Trailer()["x-end"]; len(got) != 1 {
		t.Errorf("trailers: %v", stream.Trailer())
	}
}

func (c caller) clientStreaming(t *testing.T) {
	stream := c.call(testkit.Context(t), t)
	for range 3 {
		send(t, stream, "count 0")
	}
	send(t, stream, "all")
	testkit.NoError(t, stream.CloseSend())
	receive(t, stream, "all")
	ends(t, stream, codes.OK, "")
}

func (c caller) bothStreaming(t *testing.T) {
	stream := c.call(testkit.Context(t), t)
	for i := range 20 { // each comes back before the next one is sent
		word := fmt.Sprint("word ", i)
		send(t, stream, word)
		receive(t, stream, word)
	}
	testkit.NoError(t, stream.CloseSend())
	ends(t, stream, codes.OK, "")
}

// errorsFirst are unary calls and such that stream: their answer is one frame.
func (c caller) errorsFirst(t *testing.T) {
	for range errorRounds {
		said, heard := "fail 5 no such thing", ""
		var trailer metadata.MD
		err := c.Invoke(testkit.Context(t), "/interop.Texts/One", &said, &heard, grpc.Trailer(&trailer))
		if status.Code(err) != codes.NotFound || status.Convert(err).Message() != "no such thing" || len(trailer["x-end"]) != 1 {
			t.Fatal(err, trailer)
		}
		stream := c.call(testkit.Context(t), t)
		send(t, stream, said)
		testkit.NoError(t, stream.CloseSend())
		ends(t, stream, codes.NotFound, "no such thing")
	}
}

func (c caller) errorsLate(t *testing.T) {
	for range errorRounds {
		stream := c.call(testkit.Context(t), t)
		send(t, stream, "count 2")
		send(t, stream, "fail 9 not now")
		testkit.NoError(t, stream.CloseSend())
		receive(t, stream, "counted")
		receive(t, stream, "counted")
		ends(t, stream, codes.FailedPrecondition, "not now")
	}
}

// errorsEarly are such to clients that would go on sending. They hear of it at once.
func (c caller) errorsEarly(t *testing.T) {
	began := time.Now()
	for range errorRounds {
		stream := c.call(testkit.Context(t), t)
		send(t, stream, "fail 8 too much")
		ends(t, stream, codes.ResourceExhausted, "too much")
		stream = c.call(testkit.Context(t), t)
		send(t, stream, "count 1")
		receive(t, stream, "counted")
		send(t, stream, "fail 8 too much")
		ends(t, stream, codes.ResourceExhausted, "too much")
	}
	if took := time.Since(began); took > errorRounds*time.Second {
		t.Errorf("%d of them took %v", 2*errorRounds, took)
	}
}

// The server knows the deadline, too: it is in a header field.
func (c caller) deadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stream := c.call(ctx, t)
	send(t, stream, "wait")
	receive(t, stream, "waiting")
	var got string
	if err := stream.RecvMsg(&got); status.Code(err) != codes.DeadlineExceeded { // in the client's words or the server's
		t.Errorf("%q, %v", got, err)
	}
	c.served(t)
}

// served waits for the end of a call that waits, at the server.
func (c caller) served(t *testing.T) error {
	t.Helper()
	select {
	case why := <-c.server.ended:
		return why
	case <-testkit.Context(t).Done():
		t.Fatal("the server was not told")
	}
	return nil
}

func (c caller) cancel(t *testing.T) {
	ctx, cancel := context.WithCancel(testkit.Context(t))
	stream := c.call(ctx, t)
	send(t, stream, "wait")
	receive(t, stream, "waiting")
	cancel()
	ends(t, stream, codes.Canceled, "context canceled")
	if why := c.served(t); !errors.Is(why, context.Canceled) {
		t.Error(why)
	}
}

func (c caller) large(t *testing.T) {
	stream := c.call(testkit.Context(t), t)
	word := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for range 3 {
		send(t, stream, word)
		receive(t, stream, word)
	}
	testkit.NoError(t, stream.CloseSend())
	ends(t, stream, codes.OK, "")
}
