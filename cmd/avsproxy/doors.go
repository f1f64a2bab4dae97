package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/listen"
	"avsproxy/tokens"
)

// Bounds of every server here. There is none on writing and none on a whole
// request: streams may last for days.
const (
	firstByteTimeout = 10 * time.Second
	headerTimeout    = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	headerMost       = 64 << 10
	streamsMost      = 250 // per connection
)

// quiet is where net/http's own words go when nobody should read them.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// newServer answers HTTP/1.x and HTTP/2, in the clear and over TLS.
func newServer(handler http.Handler, errorLog *log.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: lingering(handler),
		// "OPTIONS *" is for the guard to judge too.
		DisableGeneralOptionsHandler: true,
		Protocols:                    &protocols,
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerMost,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: streamsMost},
		ErrorLog:                     errorLog,
	}
}

// lingerTime bounds the wait for an upload whose answer was given early.
const lingerTime = 2 * time.Second

// lingering reads on, for a while, in HTTP/2 uploads that were answered before
// their end. net/http would reset such a stream at once, and clients that are still
// sending (curl 7 in the clear is one) then lose the answer over the reset.
func lingering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.ProtoMajor < 2 || r.Body == nil || r.Body == http.NoBody {
			return
		}
		control := http.NewResponseController(w)
		if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			io.Copy(io.Discard, r.Body) // ends with the upload, or in time
		}
	})
}

// serveOn serves listeners that speak TLS and clear text by the first bytes.
func serveOn(server *http.Server, lns []net.Listener, conf *tls.Config) <-chan error {
	ended := make(chan error, len(lns))
	for _, ln := range lns {
		go func() {
			err := server.Serve(listen.Sniff(ln, conf, firstByteTimeout))
			if !errors.Is(err, http.ErrServerClosed) {
				ended <- err
			}
		}()
	}
	return ended
}

// A doorList opens listeners and closes them all.
type doorList struct {
	app *app
	lns []net.Listener
}

func (d *doorList) open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, warnings, err := listen.Open(ctx, addr)
	for _, warning := range warnings {
		d.app.ui.warn(warning, "")
	}
	var inUse *listen.InUse
	if errors.As(err, &inUse) && inUse.PID == os.Getpid() {
		return nil, &exitError{exitUsage, fmt.Errorf("two parts are to listen on %s", inUse.Addr), "give each a port of its own"}
	}
	if err != nil {
		return nil, failed(fmt.Errorf("cannot listen on %s: %w", addr, err), "end the other program, or choose another port")
	}
	d.lns = append(d.lns, lns...)
	return lns, nil
}

func (d *doorList) close() {
	for _, ln := range d.lns {
		ln.Close()
	}
}

// A desk starts logins. Where the redirect URI names an address that the console
// does not listen on, the desk listens there while a login is pending.
type desk struct {
	logins      *tokens.Logins
	consolePort string // what listens anyway; empty = nothing does
	handler     http.Handler
	tls         *tls.Config
	errorLog    *log.Logger

	mu   sync.Mutex
	open map[string]*callbackDoor
}

type callbackDoor struct {
	server *http.Server
	users  int
}

// takeFreePort opens the console's port now where the configuration leaves it
// to us, so that the redirect URIs that follow it can name it.
func (d *desk) takeFreePort(conf *config.Config) ([]net.Listener, error) {
	if portOf(conf.Console.Listen) != "0" {
		return nil, nil
	}
	lns, _, err := listen.Open(context.Background(), conf.Console.Listen)
	if err != nil {
		return nil, failed(err, "")
	}
	d.consolePort = portOf(lns[0].Addr().String())
	conf.Console.Listen = "localhost:" + d.consolePort
	return lns, nil
}

// begin implements [console.Console.Begin].
func (d *desk) begin(credential console.Credential) (*tokens.Login, error) {
	close, err := d.listen(credential.Client.RedirectURL)
	if err != nil {
		return nil, err
	}
	login := d.logins.Begin(credential.Source, credential.Client)
	go func() {
		defer close()
		// Ends by itself: a login that nobody finishes is over after ten minutes.
		_ = login.Wait(context.Background())
		shown, cancel := context.WithTimeout(context.Background(), shownPatience)
		defer cancel()
		login.WaitShown(shown)
	}()
	return login, nil
}

// shownPatience is how long a door stays open for the page after the callback.
const shownPatience = 5 * time.Second

func (d *desk) listen(redirectURL string) (closeDoor func(), err error) {
	redirect, err := url.Parse(redirectURL)
	if err != nil {
		return nil, err
	}
	addr := hostPort(redirect)
	d.mu.Lock()
	defer d.mu.Unlock()
	if portOf(addr) == d.consolePort {
		return func() {}, nil
	}
	if door := d.open[addr]; door != nil {
		door.users++
		return func() { d.leave(addr) }, nil
	}
	lns, _, err := listen.Open(context.Background(), addr)
	if err != nil {
		return nil, err
	}
	door := &callbackDoor{server: newServer(d.handler, d.errorLog), users: 1}
	serveOn(door.server, lns, d.tls)
	if d.open == nil {
		d.open = map[string]*callbackDoor{}
	}
	d.open[addr] = door
	return func() { d.leave(addr) }, nil
}

func (d *desk) leave(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	door := d.open[addr]
	if door == nil {
		return // closed with all others
	}
	if door.users--; door.users > 0 {
		return
	}
	delete(d.open, addr)
	shutDown(door.server)
}

// close shuts all doors, letting pages that are being served go out.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, door := range d.open {
		shutDown(door.server)
	}
	clear(d.open)
}

// shutDown ends a server of short pages.
func shutDown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}

// hostPort is what to listen on for a redirect URI; "localhost" is both loopback
// families there, since browsers choose either.
func hostPort(redirect *url.URL) string {
	port := redirect.Port()
	if port == "" && redirect.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return net.JoinHostPort(redirect.Hostname(), port)
}

// portOf returns the port of "host:port", "" where there is none.
func portOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[i+1:]
	}
	return ""
}
