package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"avsproxy/internal/api"
	"avsproxy/internal/certs"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/listen"
	"avsproxy/internal/redact"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/share"
	"avsproxy/internal/terminal"
	"avsproxy/internal/tunnel"
)

// A Server is a proxy that listens: everything that has to be closed again.
type Server struct {
	env         *Environment
	Conf        *config.Config
	sandbox     *api.SandboxEndpoints
	program     *Program
	pipeline    *pipeline
	capture     *captureObserver
	console     *console.Console
	proxy       *httpserver.Server
	busy        httpserver.InFlight // of proxy
	Users       userAccess
	consolePort string // as resolved when it listens

	limit, pagesLimit *listen.Limit // of connections to the proxy, and to all that shows pages
	refusals          *pacedLog
	refusedConns      refusedConnections
	pages             *httpserver.Server
	roots             *certs.Authority
	run               api.RunFile

	// Isolated: other commands do not find this proxy: it writes no run.json, and the
	// sandbox's grants stay in memory.
	Isolated bool
	// FallbackPort: where a configured port is taken, another will do.
	FallbackPort bool

	listeners                        ListenerSet
	proxyListeners, consoleListeners []net.Listener
	routeListeners                   [][]net.Listener // by route
	callbacks                        *callbackListener
	replayer                         *replayer
	callbackTLS                      *tls.Config // what the console shows over TLS
	ended                            []<-chan error
	closers                          []func()
	background                       []func(context.Context)
	store                            *storeWatch    // nil = the store is not shared
	share                            *share.Handler // nil = there is no [share]
	shareListeners                   []net.Listener
	ready                            atomic.Bool // what the proxy asks for by itself is recorded
}

func NewServer(e *Environment, conf *config.Config) (*Server, error) {
	users, err := newUsers(conf)
	return &Server{env: e, Conf: conf, Users: users, listeners: ListenerSet{Env: e}}, err
}

// Begin does all that is needed to serve. Where it fails, and in the end, the
// server is to be closed.
func (s *Server) Begin(ctx context.Context) error {
	steps := []func(context.Context) error{
		s.listen, s.startSandbox, s.removeLeftovers, s.build, s.startConsole, func(ctx context.Context) error { return loginToSandbox(ctx, s) },
		s.startProxy, s.leaveRunFile, func(ctx context.Context) error { return startBackground(ctx, s) },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listen(ctx context.Context) error {
	s.refusals = &pacedLog{log: s.env.UI.Log}
	s.limit, s.pagesLimit = proxyLimit(s), consoleLimit(s)
	for _, addr := range s.Conf.Proxy.Listen {
		lns, err := s.open(ctx, addr)
		if err != nil {
			return err
		}
		s.proxyListeners = append(s.proxyListeners, limited(lns, s.limit)...)
	}
	for _, route := range s.Conf.Routes {
		var own []net.Listener
		for _, addr := range route.Listen {
			lns, err := s.open(ctx, addr)
			if err != nil {
				return err
			}
			own = append(own, limited(lns, s.limit)...)
		}
		s.routeListeners = append(s.routeListeners, own)
	}
	for _, addr := range s.Conf.Share.Listen {
		lns, err := s.open(ctx, addr)
		if err != nil {
			return err
		}
		s.shareListeners = append(s.shareListeners, limited(lns, s.pagesLimit)...)
	}
	lns, err := s.open(ctx, s.Conf.Console.Listen)
	if err != nil {
		return err
	}
	s.consoleListeners = limited(lns, s.pagesLimit)
	s.consolePort = PortOf(lns[0].Addr().String())
	return nil
}

// allProxyListeners are the proxy's and the routes' own.
func (s *Server) allProxyListeners() []net.Listener {
	return slices.Concat(append([][]net.Listener{s.proxyListeners}, s.routeListeners...)...)
}

// routePorts are those of the routes' own listeners, with the indexes of the routes.
func (s *Server) routePorts() map[string]int {
	ports := map[string]int{}
	for i, own := range s.routeListeners {
		for _, ln := range own {
			ports[PortOf(ln.Addr().String())] = i
		}
	}
	return ports
}

func (s *Server) open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, err := s.listeners.Open(ctx, addr)
	if s.FallbackPort && errors.As(err, new(*listen.InUse)) {
		return s.listeners.Open(ctx, "localhost:0")
	}
	return lns, err
}

func (s *Server) startSandbox(ctx context.Context) error {
	if !s.Conf.Sandbox {
		return nil
	}
	lwa, err := s.listeners.Open(ctx, "localhost:0")
	if err != nil {
		return err
	}
	avs, err := s.listeners.Open(ctx, "localhost:0")
	if err != nil {
		return err
	}
	amazon, err := sandbox.Start(sandbox.Options{LWA: lwa, AVS: avs, OneConnection: true})
	if err != nil {
		return terminal.Failed(fmt.Errorf("starting the sandbox: %w", err), "")
	}
	s.closers = append(s.closers, func() { amazon.Close() })
	s.sandbox = &api.SandboxEndpoints{LWA: amazon.LWA(), AVS: amazon.AVS(), CA: string(amazon.RootPEM())}
	if s.Isolated {
		return nil // the sandbox's folder may be in use
	}
	return clearSandboxFolder(s.Conf)
}

// removeLeftovers takes what killed processes left behind.
func (s *Server) removeLeftovers(context.Context) error {
	if s.Isolated {
		return nil
	}
	sweepStateFolder(s.env, s.Conf)
	store, err := newStore(s.env, s.Conf)
	if tidy, ok := store.(interface{ Tidy() }); ok && err == nil {
		tidy.Tidy()
	}
	return err
}

func (s *Server) build(ctx context.Context) error {
	program, err := Build(s.env, s.Conf, Resolved{Sandbox: s.sandbox, ConsolePort: s.consolePort, MemoryStore: s.Isolated && s.sandbox != nil, RoutePorts: s.routePorts()})
	if err != nil {
		return err
	}
	s.program, program.users = program, s.Users
	s.closers = append(s.closers, program.closeStore, program.AwaitRenewals) // the last first
	for _, credential := range program.credentials {
		if err := credential.Source.Load(); err != nil {
			return terminal.Failed(err, "")
		}
	}
	if s.roots, err = OpenAuthority(ctx, s.env, s.Conf); err != nil {
		return err
	}
	s.capture = newCaptureObserver(s.Conf.Capture, program.secrets)
	metrics := console.NewMetrics()
	for _, credential := range program.credentials {
		metrics.Credential(credential.Source)
		s.recordProvider(credential)
		s.background = append(s.background, credentialTask(s, credential, metrics))
	}
	o := newObservers(s.env.UI, s.refusals, metrics, s.capture, redact.NewLive(program.secrets))
	o.DecisionHeader = s.Conf.Proxy.DecisionHeader
	hooks := serverHooks{ownAddresses: s.ownAddresses, place: s.limit.Count, group: s.newGroup(), relays: s.Conf.Proxy.Engine != "standard"}
	hooks.enter, hooks.tryEnter = s.busy.Limit(maxRequests, maxWaiting)
	hooks.boundEntry()
	boundMemory(s.env.Getenv, s.Conf)
	s.pipeline, err = program.pipeline(o, s.loginURL, hooks)
	if err != nil {
		return err
	}
	s.background = append(s.background, new(trimmer).keep)
	s.watchStore()
	if err := s.newShare(); err != nil {
		return err
	}
	s.background = append(s.background, s.pipeline.background...)
	s.replayer = newReplayer(s.capture.recorder, s.pipeline.handler, o.errorLog)
	s.closers = append(s.closers, s.pipeline.close, s.replayer.close)
	return s.buildConsole(metrics, o)
}

func (s *Server) buildConsole(metrics *console.Metrics, o observers) error {
	leaf, err := s.roots.Callback(s.Conf.Store.Path)
	if err != nil {
		return terminal.Failed(err, "")
	}
	s.callbackTLS = certs.FixedConfig(leaf)
	explainer, err := serverExplainer(s)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	s.callbacks = &callbackListener{
		logins: s.program.newLogins(), consolePort: s.consolePort, tls: s.callbackTLS, errorLog: o.errorLog, limit: s.pagesLimit,
	}
	for i, own := range s.routeListeners {
		s.pipeline.routes[i].Listen = addresses(own)
	}
	s.console = &console.Console{
		Version:     Version(),
		Sandbox:     s.sandbox != nil,
		Credentials: s.program.consoleCredentials(),
		Routes:      s.pipeline.routes,
		Logins:      s.callbacks.logins,
		Begin:       s.callbacks.begin,
		Metrics:     metrics,
		Hosts:       s.Conf.Console.Hosts,
		Users:       s.program.users.Console,
		Access:      s.program.users.describe("the user it runs as"),
		TurnedAway:  s.refusedConns.counts,
		Proxy:       addresses(s.proxyListeners),
		Self:        addresses(s.consoleListeners)[0],
		Directives:  s.pipeline.directives,
		Key:         consoleKey(s),
		Ended:       ended,
		Try:         tryCommand(s),
		Fingerprint: certs.Fingerprint(leaf.Leaf),
		Exchanges:   s.capture.recorder,
		Replay:      s.replayer.replay,
		Points:      s.pipeline.handler.Points,
		Explain:     func(method, url string) (any, error) { return explainer.Explain(method, url) },
	}
	if s.store != nil {
		s.console.Store = s.store.now
	}
	s.buildHandlers(o, func() { close(ended) })
	return nil
}

// buildHandlers makes the servers; ended ends the console's streams.
func (s *Server) buildHandlers(o observers, ended func()) {
	s.callbacks.handler = s.console.Guarded(o.Refused)
	s.closers = append(s.closers, s.callbacks.close)
	s.pages = httpserver.NewPages(s.callbacks.handler, o.errorLog)
	s.pages.RegisterOnShutdown(sync.OnceFunc(ended))
	s.proxy = httpserver.New(s.pipeline.handler, o.errorLog)
	s.proxy.WebSockets = slices.ContainsFunc(s.Conf.Routes, func(r config.Route) bool { return r.WebSocket })
	s.proxy.Group, s.proxy.Unread = s.pipeline.group, o.unread
	if s.proxy.Standard = !s.pipeline.relays; s.pipeline.relays {
		s.proxy.Relay = s.pipeline.handler.Acceptor
	}
}

func (s *Server) startConsole(context.Context) error {
	s.ended = append(s.ended, httpserver.Serve(s.pages, s.consoleListeners, s.callbackTLS))
	return nil
}

// startProxy comes when the sandbox's login is made: until then clients wait to be accepted, and are not refused.
func (s *Server) startProxy(context.Context) error {
	if err := s.startShare(); err != nil {
		return err
	}
	s.ended = append(s.ended, httpserver.Serve(s.proxy, append(s.allProxyListeners(), s.pipeline.inbox), tunnel.ByTarget(s.roots.ServerConfig())))
	return nil
}

// absolute is the path of a file, that other commands find wherever they run; empty = they cannot.
func absolute(path string) string {
	found, err := filepath.Abs(path)
	if info, statErr := os.Stat(path); err != nil || statErr != nil || !info.Mode().IsRegular() {
		return "" // as a pipe, which can be read once only
	}
	return found
}

func (s *Server) leaveRunFile(context.Context) error {
	if s.Isolated {
		return nil
	}
	s.run = api.RunFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key, Config: absolute(s.Conf.File), Sandbox: s.sandbox}
	err := s.run.Write(s.Conf.Store.Path)
	if err == nil {
		err = s.roots.Unsaved()
	}
	if durable.Full(err) {
		s.env.UI.Warn(fmt.Sprintf("the disk is full, so other commands may not find this proxy, and certificates may change with its next start: %v", err),
			"make room on the disk of "+s.Conf.Store.Path+" and start it again")
	} else if err != nil {
		return terminal.Failed(err, "check the state folder's owner and mode, or set store.path")
	}
	written := s.run
	s.env.Cleanup.add(func() { written.Remove(s.Conf.Store.Path) }) // also where a second signal leaves no time to close
	return nil
}
