package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/certs"

	"github.com/rogpeppe/go-internal/testscript"
)

// upstreamCmd starts an upstream with a fault:
//
//	refuse    nobody listens
//	hang      takes connections and says nothing, not even in TLS
//	silent    takes the request and never answers
//	reset     cuts the connection after the request's head
//	garbage   answers something that is not HTTP
//	http1     a working server that speaks HTTP/1.1 alone
//	mutual    one of HTTP/2 that asks for a certificate, which is in device.pem and device.key
//	full      one of HTTP/2 that allows one stream, and never ends it
//	unknown   has a certificate of an authority that $UPSTREAM_CA does not hold
//	expired   has a certificate that ended a minute ago
//	late      a working server whose clock is 10 minutes behind
func upstreamCmd(ts *testscript.TestScript, neg bool, args []string) {
	authority, err := certs.New("test authority")
	ts.Check(err)
	stranger, err := certs.New("another authority")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("upstream.pem"), authority.RootPEM(), 0o644))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("UPSTREAM_CA", ts.MkAbs("upstream.pem"))
	ts.Setenv("UPSTREAM_PORT", app.PortOf(ln.Addr().String()))
	ts.Setenv("UPSTREAM", "https://localhost:"+ts.Getenv("UPSTREAM_PORT"))

	if args[0] == "unknown" {
		authority = stranger
	}
	life := time.Hour
	if args[0] == "expired" {
		life = -time.Minute
	}
	leaf, err := authority.Leaf(life, "localhost", "127.0.0.1")
	ts.Check(err)
	conf := &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"http/1.1"}}
	switch args[0] {
	case "refuse":
		ln.Close()
	case "hang":
		go eachConn(ln, func(conn net.Conn) {})
	case "silent":
		go eachConn(tls.NewListener(ln, conf), func(conn net.Conn) { readHead(conn) })
	case "reset":
		go eachConn(tls.NewListener(ln, conf), func(conn net.Conn) {
			readHead(conn)
			conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
			conn.(*tls.Conn).NetConn().Close()
		})
	case "garbage":
		go eachConn(tls.NewListener(ln, conf), func(conn net.Conn) {
			readHead(conn)
			conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
			conn.Close()
		})
	case "late":
		server := &http.Server{Handler: http.HandlerFunc(answerLate)}
		go server.Serve(tls.NewListener(ln, conf))
		ts.Defer(func() { server.Close() })
	case "http1", "unknown", "expired":
		server := &http.Server{Handler: http.HandlerFunc(tellRequest), ErrorLog: log.New(io.Discard, "", 0)}
		go server.Serve(tls.NewListener(ln, conf))
		ts.Defer(func() { server.Close() })
	case "full":
		conf.NextProtos = []string{"h2"}
		server := &http.Server{Handler: http.HandlerFunc(holdRequest), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1}}
		go server.Serve(tls.NewListener(ln, conf))
		ts.Defer(func() { server.Close() })
	case "mutual":
		writeDevice(ts, authority)
		conf.NextProtos, conf.ClientAuth = []string{"h2"}, tls.RequireAnyClientCert
		server := &http.Server{Handler: http.HandlerFunc(tellRequest), ErrorLog: log.New(io.Discard, "", 0)}
		go server.Serve(tls.NewListener(ln, conf))
		ts.Defer(func() { server.Close() })
	default:
		ts.Fatalf("unknown fault %s", args[0])
	}
}

// writeDevice makes the certificate that a route shows.
func writeDevice(ts *testscript.TestScript, authority *certs.Authority) {
	leaf, err := authority.Leaf(time.Hour, "device.localhost")
	ts.Check(err)
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	ts.Check(err)
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})
	ts.Check(os.WriteFile(ts.MkAbs("device.pem"), chain, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("device.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

func eachConn(ln net.Listener, serve func(net.Conn)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			serve(conn)
			io.Copy(io.Discard, conn) // holds it open, where serve did not close it, until whoever dialed gives up
		}()
	}
}

func readHead(conn net.Conn) {
	http.ReadRequest(bufio.NewReader(conn))
}

// holdRequest begins an answer, and leaves it open.
func holdRequest(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "held\n")
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// answerLate has a clock that is 10 minutes behind.
func answerLate(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
}

// tellRequest answers with what arrived.
func tellRequest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Proto", r.Proto)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		w.Header().Set("X-Device", r.TLS.PeerCertificates[0].DNSNames[0])
	}
	w.Header().Set("X-Authorization-Fields", strconv.Itoa(len(r.Header["Authorization"])))
	w.Write([]byte("path " + r.URL.RequestURI() + "\nhost " + r.Host + "\nauthorization " + r.Header.Get("Authorization") + "\ncookie " + r.Header.Get("Cookie") + "\n"))
}
