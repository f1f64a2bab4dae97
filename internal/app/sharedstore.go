package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// sharedStore makes the store that other machines use, too. It connects to nothing yet.
func sharedStore(e *Environment, conf *config.Config) (*tokens.SharedStore, error) {
	engine, err := newEngine(conf.Store)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(conf.Store)
	if err != nil {
		return nil, terminal.Usage(err, "make a key by: openssl rand -base64 32")
	}
	journal := filepath.Join(conf.Store.Path, "journal")
	owner, keep := installation(e, journal)
	return &tokens.SharedStore{
		Engine: engine, Sealer: sealer, Owner: owner, KeepOwner: keep, Waiting: e.warnLockHeld,
		Journal: tokens.FileStore{Dir: journal, Recovered: e.warnRecovered},
	}, nil
}

func newEngine(conf config.Store) (tokens.Engine, error) {
	address, err := conf.URL.Resolve()
	if err != nil {
		return nil, terminal.Usage(err, "see [store] in the configuration")
	}
	var engine tokens.Engine
	if conf.Kind == "redis" {
		engine, err = redisEngine(address)
	} else {
		engine, err = postgresEngine(address)
	}
	if without, ok := errors.AsType[builtWithout](err); ok {
		return nil, terminal.Usage(without, "take a release, or build it with: go build -tags redis,postgres ./cmd/avsproxy")
	}
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("store.url %w", err), "see docs/shared.md for the forms of addresses")
	}
	return engine, nil
}

// builtWithout is the error for a store whose client this program does not have: they are large, and most
// people need none of them.
type builtWithout string

func (b builtWithout) Error() string { return "this avsproxy was built without " + string(b) }

func newSealer(conf config.Store) (*tokens.Sealer, error) {
	key, err := conf.EncryptionKey.Resolve()
	if err != nil {
		return nil, err
	}
	var old []tokens.Secret
	for _, ref := range conf.OldEncryptionKeys {
		secret, err := ref.Resolve()
		if err != nil {
			return nil, err
		}
		old = append(old, secret)
	}
	sealer, err := tokens.NewSealer(key, old...)
	if err != nil {
		return nil, fmt.Errorf("store.encryption_key: %w", err)
	}
	return sealer, nil
}

// installation is the name that the marks of this installation have, and what writes it down where
// it is new: it outlives the process, so that the next one knows its marks again.
func installation(e *Environment, dir string) (name string, keep func()) {
	path := filepath.Join(dir, "installation")
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	name = rand.Text()
	return name, sync.OnceFunc(func() {
		err := durable.MkdirPrivate(dir)
		if err == nil {
			err = durable.WriteFile(path, []byte(name+"\n"), 0o600)
		}
		if err != nil {
			e.UI.Warn("the name of this installation cannot be kept: "+err.Error(), "see that the folder is yours and has room: without it, a renewal that this process leaves undone is taken over minutes later")
		}
	})
}

// storeCheck is how often the shared store is asked how it is.
const storeCheck = 20 * time.Second

// A storeWatch knows how the shared store is.
type storeWatch struct {
	store *tokens.SharedStore
	log   *slog.Logger
	last  atomic.Pointer[api.Store]
}

func (w *storeWatch) now() *api.Store { return w.last.Load() }

// run asks the store at each storeCheck until ctx ends, and logs what has changed.
func (w *storeWatch) run(ctx context.Context) {
	for {
		before, now := w.last.Load(), describeStore(w.store)
		w.last.Store(now)
		w.tell(before, now)
		select {
		case <-time.After(storeCheck):
		case <-ctx.Done():
			return
		}
	}
}

func (w *storeWatch) tell(before, now *api.Store) {
	wasAway := before != nil && before.Problem != nil
	switch {
	case now.Problem != nil && !wasAway:
		w.log.Error(now.Problem.Message, "hint", now.Problem.Hint)
	case now.Problem == nil && wasAway:
		w.log.Info("the shared store answers again", "store", now.Where)
	}
	if now.Problem == nil && (before == nil || !slices.Equal(before.Warnings, now.Warnings)) {
		for _, warning := range now.Warnings {
			w.log.Warn("the shared store may lose logins: " + warning)
		}
	}
}

// watchStore looks after a shared store, if there is one.
func (s *Server) watchStore() {
	if shared := s.program.shared(); shared != nil {
		s.store = &storeWatch{store: shared, log: s.env.UI.Log}
		s.background = append(s.background, s.store.run, func(ctx context.Context) { s.program.followStore(ctx, shared.Engine) })
	}
}

// followStore takes over what other machines do to the store, until ctx ends. What it misses is
// found when a token is due.
func (p *Program) followStore(ctx context.Context, engine tokens.Engine) {
	follow := func(key string) {
		for _, credential := range p.credentials {
			if key == "" || credential.Source.Key() == key {
				credential.Source.Follow()
			}
		}
	}
	for ctx.Err() == nil {
		_ = engine.Changes(ctx, func() { follow("") }, follow) // [storeWatch] logs that the store is away
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
		}
	}
}

// followAgain is between attempts to hear of the store's changes.
const followAgain = 5 * time.Second

// closeStore ends the connections to a shared store. Renewals under way need it until they end.
func (p *Program) closeStore() {
	shared := p.shared()
	if shared == nil {
		return
	}
	if engine, ok := shared.Engine.(io.Closer); ok {
		engine.Close()
	}
}

// newLogins are those of this program; a shared store lets other replicas end them.
func (p *Program) newLogins() *tokens.Logins {
	shared := p.shared()
	if shared == nil {
		return &tokens.Logins{}
	}
	return &tokens.Logins{Shared: shared, Credential: func(name string) (*tokens.Source, *tokens.Client) {
		i := slices.IndexFunc(p.credentials, func(c *Credential) bool { return c.Conf.Name == name && c.Client != nil })
		if i < 0 {
			return nil, nil
		}
		return p.credentials[i].Source, p.credentials[i].Client
	}}
}

// shared is the store as one that other machines use, too; nil = it is none.
func (p *Program) shared() *tokens.SharedStore {
	shared, _ := p.store.(*tokens.SharedStore)
	return shared
}

// Store says how the store is; nil = it is not shared.
func (p *Program) Store() *api.Store {
	if shared := p.shared(); shared != nil {
		return describeStore(shared)
	}
	return nil
}

// describeStore asks a shared store how it is.
func describeStore(shared *tokens.SharedStore) *api.Store {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	warnings, err := shared.Engine.Advise(ctx)
	described := &api.Store{Where: shared.Engine.String(), Warnings: warnings}
	if err != nil {
		described.Problem = &api.Error{
			Action: tokens.ActionRetry, Message: (&tokens.StoreAwayError{Store: described.Where, Err: err}).Error(),
			Hint: "start it, or see url in [store]; present tokens serve to their end, and nobody renews meanwhile",
		}
	}
	return described
}
