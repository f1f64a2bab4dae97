package app

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/listen"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// A callbackListener starts logins. Where the redirect URI names an address that the console
// does not listen on, it listens there while a login is pending.
type callbackListener struct {
	logins      *tokens.Logins
	consolePort string // what listens anyway; empty = nothing does
	handler     http.Handler
	tls         *tls.Config
	errorLog    *log.Logger
	limit       *listen.Limit // of connections to all that listen for pages

	mu     sync.Mutex
	open   map[string]*callbackServer
	ending sync.WaitGroup // servers that are no longer open, and let pages go out
}

type callbackServer struct {
	http  *httpserver.Server
	users int
	addrs []net.Addr
}

// addrs are the addresses of the listeners that are open.
func (d *callbackListener) addrs() []net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []net.Addr
	for _, server := range d.open {
		all = append(all, server.addrs...)
	}
	return all
}

// takeFreePort opens the console's port now where the configuration leaves it
// to us, so that the redirect URIs that follow it can name it.
func (d *callbackListener) takeFreePort(conf *config.Config) ([]net.Listener, error) {
	if PortOf(conf.Console.Listen) != "0" {
		return nil, nil
	}
	lns, _, err := listen.Open(context.Background(), conf.Console.Listen)
	if err != nil {
		return nil, terminal.Failed(err, "")
	}
	d.consolePort = PortOf(lns[0].Addr().String())
	return lns, nil
}

// begin implements [console.Console.Begin].
func (d *callbackListener) begin(ctx context.Context, credential console.Credential, byDevice bool) (*tokens.Login, error) {
	if byDevice {
		return d.logins.BeginDevice(ctx, credential.Source, credential.Client)
	}
	closeListener, err := d.listen(credential.Client.RedirectURL)
	if err != nil {
		return nil, &tokens.Error{
			Action: tokens.ActionConfig, Message: "cannot listen for the callback", Err: err,
			Hint: "end the other program; redirect_url says which port the provider sends the browser to",
		}
	}
	login, err := d.logins.Begin(ctx, credential.Source, credential.Client)
	if err != nil {
		closeListener()
		return nil, err
	}
	go func() {
		defer closeListener()
		// Wait returns: a login expires after ten minutes.
		_ = login.Wait(context.Background())
		shown, cancel := context.WithTimeout(context.Background(), outcomePageTimeout)
		defer cancel()
		login.AwaitSeen(shown)
	}()
	return login, nil
}

// outcomePageTimeout is how long a server stays open for the page after the callback.
const outcomePageTimeout = 5 * time.Second

func (d *callbackListener) listen(redirectURL string) (closeListener func(), err error) {
	redirect, err := url.Parse(redirectURL)
	if err != nil {
		return nil, err
	}
	addr := hostPort(redirect)
	d.mu.Lock()
	defer d.mu.Unlock()
	if PortOf(addr) == d.consolePort {
		return func() {}, nil
	}
	if server := d.open[addr]; server != nil {
		server.users++
		return func() { d.release(addr) }, nil
	}
	lns, _, err := listen.Open(context.Background(), addr)
	if err != nil {
		return nil, err
	}
	server := &callbackServer{http: httpserver.NewPages(d.handler, d.errorLog), users: 1}
	for _, ln := range lns {
		server.addrs = append(server.addrs, ln.Addr())
	}
	httpserver.Serve(server.http, limited(lns, d.limit), d.tls)
	if d.open == nil {
		d.open = map[string]*callbackServer{}
	}
	d.open[addr] = server
	return func() { d.release(addr) }, nil
}

func (d *callbackListener) release(addr string) {
	if server := d.removeUnused(addr); server != nil {
		defer d.ending.Done()
		httpserver.ShutDown(server.http)
	}
}

// removeUnused takes out the server that has lost its last user, if it has.
func (d *callbackListener) removeUnused(addr string) *callbackServer {
	d.mu.Lock()
	defer d.mu.Unlock()
	server := d.open[addr]
	if server == nil { // closed with all others
		return nil
	}
	if server.users--; server.users > 0 {
		return nil
	}
	delete(d.open, addr)
	d.ending.Add(1)
	return server
}

// close shuts all listeners, letting pages that are being served go out: of those that are released at this moment,
// too, or the process could end before them.
func (d *callbackListener) close() {
	defer d.ending.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, server := range d.open {
		httpserver.ShutDown(server.http)
	}
	clear(d.open)
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
