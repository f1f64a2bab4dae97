package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
	"avsproxy/internal/listen"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/tunnel"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// drainTimeout bounds how long requests under way may go on after a signal.
const drainTimeout = 10 * time.Second

// A server is a proxy that listens: everything that has to be closed again.
type server struct {
	env     *environment
	conf    *config.Config
	stand   *stand
	program *program
	line    *pipeline
	scribe  *scribe
	console *console.Console
	proxy   *http.Server
	busy    underWay // of proxy
	users   users

	limit, pagesLimit *listen.Limit // of connections to the proxy, and to all that shows pages
	refusals          *sparingLog
	turnedAway        turnedAway
	pages             *http.Server
	roots             *certs.Authority
	run               runFile

	// apart: nobody else is to find this proxy, so it leaves no run.json, and the
	// sandbox's grants stay in memory.
	apart bool
	// anyPort: where a configured port is taken, another will do.
	anyPort bool

	doors                    doorList
	proxyDoors, consoleDoors []net.Listener
	desk                     *desk
	replayer                 *replayer
	callback                 *tls.Config // what the console shows over TLS
	ended                    []<-chan error
	closers                  []func()
	keepers                  []func(context.Context)
}

func newServing(e *environment, conf *config.Config) (*server, error) {
	users, err := newUsers(conf)
	return &server{env: e, conf: conf, users: users, doors: doorList{env: e}}, err
}

// begin does all that is needed to serve. Where it fails, and in the end, the
// server is to be closed.
func (s *server) begin(ctx context.Context) error {
	steps := []func(context.Context) error{s.listen, s.startSandbox, s.tidy, s.build, s.start, s.loginToSandbox, s.leaveRunFile, s.keepLogins}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) listen(ctx context.Context) error {
	s.refusals = &sparingLog{log: s.env.ui.log}
	s.limit, s.pagesLimit = s.proxyLimit(), s.consoleLimit()
	for _, addr := range s.conf.Proxy.Listen {
		lns, err := s.open(ctx, addr)
		if err != nil {
			return err
		}
		s.proxyDoors = append(s.proxyDoors, limited(lns, s.limit)...)
	}
	lns, err := s.open(ctx, s.conf.Console.Listen)
	if err != nil {
		return err
	}
	s.consoleDoors = limited(lns, s.pagesLimit)
	s.conf.Console.Listen = "localhost:" + portOf(lns[0].Addr().String())
	return nil
}

func (s *server) open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, err := s.doors.open(ctx, addr)
	if s.anyPort && errors.As(err, new(*listen.InUse)) {
		return s.doors.open(ctx, "localhost:0")
	}
	return lns, err
}

func (s *server) startSandbox(ctx context.Context) error {
	if !s.conf.Sandbox {
		return nil
	}
	lwa, err := s.doors.open(ctx, "localhost:0")
	if err != nil {
		return err
	}
	avs, err := s.doors.open(ctx, "localhost:0")
	if err != nil {
		return err
	}
	amazon, err := sandbox.Start(sandbox.Options{LWA: lwa, AVS: avs, OneConnection: true})
	if err != nil {
		return failed(fmt.Errorf("starting the sandbox: %w", err), "")
	}
	s.closers = append(s.closers, func() { amazon.Close() })
	s.stand = &stand{LWA: amazon.LWA(), AVS: amazon.AVS(), CA: string(amazon.RootPEM())}
	if s.apart {
		s.conf.Store.Kind = "memory" // the sandbox's folder may be in use
		return nil
	}
	return clearSandboxFolder(s.conf)
}

// tidy takes what killed processes left behind.
func (s *server) tidy(context.Context) error {
	if s.apart {
		return nil
	}
	s.env.sweep(s.conf)
	if store, ok := s.env.newStore(s.conf).(interface{ Tidy() }); ok {
		store.Tidy()
	}
	return nil
}

func (s *server) build(ctx context.Context) error {
	program, err := s.env.build(s.conf, s.stand)
	if err != nil {
		return err
	}
	s.program, program.users = program, s.users
	s.closers = append(s.closers, program.settle)
	for _, credential := range program.credentials {
		if err := credential.source.Open(); err != nil {
			return failed(err, "")
		}
	}
	if s.roots, err = s.env.authority(ctx, s.conf); err != nil {
		return err
	}
	s.scribe = newScribe(s.conf.Capture, program.secrets)
	metrics := console.NewMetrics()
	for _, credential := range program.credentials {
		metrics.Credential(credential.source)
		s.keepers = append(s.keepers, s.keeper(credential, metrics))
	}
	watch := watch(s.env.ui.log, s.refusals, metrics, s.scribe)
	s.line, err = program.pipeline(watch, s.loginURL, surroundings{own: s.own, place: s.limit.Count, counted: s.counted})
	if err != nil {
		return err
	}
	s.keepers = append(s.keepers, s.line.keepers...)
	s.replayer = newReplayer(s.scribe.recorder, s.line.observed, watch.errorLog)
	s.closers = append(s.closers, s.line.close, s.replayer.close)
	return s.buildConsole(metrics, watch)
}

func (s *server) buildConsole(metrics *console.Metrics, watch watcher) error {
	leaf, err := s.roots.Callback(s.conf.Store.Path)
	if err != nil {
		return failed(err, "")
	}
	s.callback = certs.FixedConfig(leaf)
	explainer, err := s.explainer()
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	s.desk = &desk{
		logins:      &tokens.Logins{},
		consolePort: portOf(s.conf.Console.Listen),
		tls:         s.callback,
		errorLog:    watch.errorLog,
		limit:       s.pagesLimit,
	}
	s.console = &console.Console{
		Version:     version(),
		Sandbox:     s.stand != nil,
		Credentials: s.program.consoleCredentials(),
		Routes:      s.line.routes,
		Logins:      s.desk.logins,
		Begin:       s.desk.begin,
		Metrics:     metrics,
		Hosts:       s.conf.Console.Hosts,
		Users:       s.program.users.console,
		UsersTold:   s.program.users.told("the user it runs as"),
		TurnedAway:  s.turnedAway.told,
		Proxy:       addresses(s.proxyDoors),
		Self:        addresses(s.consoleDoors)[0],
		Directives:  s.line.directives,
		Key:         s.consoleKey(),
		Ended:       ended,
		Try:         s.try(),
		Fingerprint: certs.Fingerprint(leaf.Leaf),
		Exchanges:   s.scribe.recorder,
		Replay:      s.replayer.again,
		Explain:     func(method, url string) (any, error) { return explainer.explain(method, url) },
	}
	s.desk.handler = s.console.Guarded(watch.refused)
	s.closers = append(s.closers, s.desk.close)
	s.pages = newPages(s.desk.handler, watch.errorLog)
	s.pages.RegisterOnShutdown(sync.OnceFunc(func() { close(ended) }))
	s.proxy = newServer(proxy.Arrived(s.line.handler), watch.errorLog)
	return nil
}

func (s *server) start(context.Context) error {
	s.ended = append(s.ended,
		serveOn(s.pages, s.consoleDoors, s.callback),
		serveOn(s.proxy, append(slices.Clone(s.proxyDoors), s.line.inbox), tunnel.ByTarget(s.roots.ServerConfig())))
	return nil
}

func (s *server) leaveRunFile(context.Context) error {
	if s.apart {
		return nil
	}
	s.run = runFile{PID: os.Getpid(), Proxy: s.console.Proxy, Console: s.console.Self, Key: s.console.Key, Sandbox: s.stand}
	err := s.run.write(s.conf.Store.Path)
	if err == nil {
		err = s.roots.Unsaved()
	}
	if durable.Full(err) {
		s.env.ui.warn(fmt.Sprintf("the disk is full, so other commands may not find this proxy, and certificates may change with its next start: %v", err),
			"make room on the disk of "+s.conf.Store.Path+" and start it again")
	} else if err != nil {
		return failed(err, "check the state folder's owner and mode, or set store.path")
	}
	written := s.run
	s.env.leaving.add(func() { written.remove(s.conf.Store.Path) }) // also where a second signal leaves no time to close
	return nil
}
