package interop

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcToken is the token of the gRPC server's route.
const grpcToken = "grpc-token"

// A textCodec has messages that are texts: no compiler of protocols is needed.
type textCodec struct{}

func (textCodec) Name() string { return "proto" }

func (textCodec) Marshal(v any) ([]byte, error) { return []byte(*v.(*string)), nil }

func (textCodec) Unmarshal(data []byte, v any) error {
	*v.(*string) = string(data)
	return nil
}

// A grpcServer does what the messages say:
//
//	fail CODE TEXT    end with this status
//	count N           send N messages
//	wait              send "waiting", wait until the call has ended, and tell ended
//	other             send it back
//
// Its head has x-seen, the call's x-word, and x-binary-bin, which is sent back too; its trailers have x-end.
type grpcServer struct {
	ended chan error // why calls that waited did
}

// startGRPC starts a server over TLS, and the program in front of it.
func startGRPC(t *testing.T) (*grpcServer, *program) {
	t.Helper()
	s := &grpcServer{ended: make(chan error, 2)}
	certificate := testkit.TLSServer(t, nil) // for its certificate alone
	listener := testkit.Listen(t)
	server := grpc.NewServer(grpc.ForceServerCodec(textCodec{}), grpc.UnknownServiceHandler(s.handle),
		grpc.Creds(credentials.NewServerTLSFromCert(&certificate.TLS.Certificates[0])))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return s, installWith(t, certificate, `
[[route]]
name = "grpc"
upstream = "https://`+listener.Addr().String()+`"
credential = "grpc"
[credential.grpc]
grant = "static"
token = "`+grpcToken+`"
`)
}

// handle serves calls of all four kinds: on the wire they do not differ.
func (s *grpcServer) handle(_ any, stream grpc.ServerStream) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	if got := asked.Get("authorization"); len(got) != 1 || got[0] != "Bearer "+grpcToken {
		return status.Error(codes.Unauthenticated, "no token")
	}
	stream.SetTrailer(metadata.Pairs("x-end", "ended"))
	for {
		var message string
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.obey(stream, asked, message); err != nil {
			return err
		}
	}
}

func (s *grpcServer) obey(stream grpc.ServerStream, asked metadata.MD, message string) error {
	word, rest, _ := strings.Cut(message, " ")
	number, text, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(number)
	switch word {
	case "fail":
		return status.Error(codes.Code(n), text)
	case "wait":
		if err := answer(stream, asked, "waiting"); err != nil {
			return err
		}
		<-stream.Context().Done()
		s.ended <- context.Cause(stream.Context())
		return stream.Context().Err()
	case "count":
		for range n {
			if err := answer(stream, asked, "counted"); err != nil {
				return err
			}
		}
		return nil
	}
	return answer(stream, asked, message)
}

// answer sets a head once: with a head of its own, an error is no single frame.
func answer(stream grpc.ServerStream, asked metadata.MD, message string) error {
	_ = stream.SetHeader(metadata.MD{"x-seen": asked.Get("x-word"), "x-binary-bin": asked.Get("x-binary-bin")}) // fails but for the first message
	return stream.SendMsg(&message)
}
