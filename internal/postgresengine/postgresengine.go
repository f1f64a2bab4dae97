// Package postgresengine keeps the entries of a [tokens.SharedStore] in PostgreSQL.
package postgresengine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"avsproxy/tokens"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connections bounds the pool. A lease is a row with an end, and pins no connection.
const connections = 8

// An Engine is a [tokens.Engine]. It connects when it is first used, and makes its table then.
type Engine struct {
	pool *pgxpool.Pool
	name string

	mu   sync.Mutex
	made bool
}

// New returns the engine at an address as libpq writes it: postgres://USER:PASSWORD@HOST/DATABASE.
// The error does not repeat the address, which has a password.
func New(address tokens.Secret) (*Engine, error) {
	conf, err := pgxpool.ParseConfig(address.Reveal())
	if err != nil {
		return nil, errors.New("is no address of PostgreSQL")
	}
	conf.MaxConns = connections
	conf.ConnConfig.ConnectTimeout = 3 * time.Second
	conf.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // poolers such as PgBouncer know no prepared statements
	for name, value := range map[string]string{"statement_timeout": "4000", "lock_timeout": "3000", "idle_in_transaction_session_timeout": "5000", "application_name": "avsproxy"} {
		conf.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), conf)
	if err != nil {
		return nil, errors.New("is no address of PostgreSQL")
	}
	return &Engine{pool: pool, name: fmt.Sprintf("postgres://%s:%d/%s", conf.ConnConfig.Host, conf.ConnConfig.Port, conf.ConnConfig.Database)}, nil
}

// String is the address without user and password.
func (e *Engine) String() string { return e.name }

// Close ends the connections.
func (e *Engine) Close() error {
	e.pool.Close()
	return nil
}

const makeTables = `
CREATE TABLE IF NOT EXISTS avsproxy_entries (key text PRIMARY KEY, revision text NOT NULL, value bytea NOT NULL, written timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS avsproxy_notes (key text PRIMARY KEY, value bytea NOT NULL, ends timestamptz NOT NULL)`

// ready makes the tables, unless they are there: who may not make any can use those of others.
func (e *Engine) ready(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made {
		return nil
	}
	var there bool
	err := e.pool.QueryRow(ctx, "SELECT to_regclass('avsproxy_entries') IS NOT NULL AND to_regclass('avsproxy_notes') IS NOT NULL").Scan(&there)
	if err == nil && !there {
		// One at a time: two that make a table at once get an error of the catalogue.
		_, err = e.pool.Exec(ctx, "DO $$ BEGIN PERFORM pg_advisory_xact_lock(7300944); "+makeTables+"; END $$")
	}
	e.made = err == nil
	return err
}

// Get implements [tokens.Engine].
func (e *Engine) Get(ctx context.Context, key string) (tokens.Entry, error) {
	var entry tokens.Entry
	if err := e.ready(ctx); err != nil {
		return entry, err
	}
	var seconds float64
	err := e.pool.QueryRow(ctx, "SELECT revision, value, extract(epoch FROM clock_timestamp() - written)::float8 FROM avsproxy_entries WHERE key = $1", key).
		Scan(&entry.Revision, &entry.Value, &seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return tokens.Entry{}, nil
	}
	entry.Age = max(0, time.Duration(seconds*float64(time.Second)))
	return entry, err
}

// Swap implements [tokens.Engine].
func (e *Engine) Swap(ctx context.Context, key, old, revision string, value []byte) (bool, error) {
	if err := e.ready(ctx); err != nil {
		return false, err
	}
	statement, args := "INSERT INTO avsproxy_entries VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT DO NOTHING", []any{key, revision, value}
	if old != "" {
		statement, args = "UPDATE avsproxy_entries SET revision = $2, value = $3, written = clock_timestamp() WHERE key = $1 AND revision = $4", append(args, old)
	}
	won, err := e.changed(ctx, statement, args...)
	if won {
		_, _ = e.pool.Exec(ctx, "SELECT pg_notify('avsproxy', $1)", key) // a hint
	}
	return won, err
}

// Changes implements [tokens.Engine]. It has a connection of its own.
func (e *Engine) Changes(ctx context.Context, subscribed func(), changed func(key string)) error {
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN avsproxy"); err != nil {
		return err
	}
	subscribed()
	for {
		notice, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		changed(notice.Payload)
	}
}

// changed reports whether a statement changed a row.
func (e *Engine) changed(ctx context.Context, statement string, args ...any) (bool, error) {
	tag, err := e.pool.Exec(ctx, statement, args...)
	return tag.RowsAffected() == 1, err
}

// Lease implements [tokens.Engine].
func (e *Engine) Lease(ctx context.Context, key, owner string, life time.Duration) (bool, error) {
	if err := e.ready(ctx); err != nil {
		return false, err
	}
	return e.changed(ctx, `INSERT INTO avsproxy_notes VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, ends = excluded.ends
		WHERE avsproxy_notes.value = excluded.value OR avsproxy_notes.ends < clock_timestamp()`, key, []byte(owner), life.Milliseconds())
}

// Release implements [tokens.Engine].
func (e *Engine) Release(ctx context.Context, key, owner string) error {
	_, err := e.pool.Exec(ctx, "DELETE FROM avsproxy_notes WHERE key = $1 AND value = $2", key, []byte(owner))
	return err
}

// Put implements [tokens.Engine]. What others have let end goes.
func (e *Engine) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if err := e.ready(ctx); err != nil {
		return err
	}
	if _, err := e.pool.Exec(ctx, "DELETE FROM avsproxy_notes WHERE ends < clock_timestamp() - interval '1 hour'"); err != nil {
		return err
	}
	_, err := e.pool.Exec(ctx, `INSERT INTO avsproxy_notes VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, ends = excluded.ends`, key, value, life.Milliseconds())
	return err
}

// Take implements [tokens.Engine].
func (e *Engine) Take(ctx context.Context, key string) ([]byte, error) {
	if err := e.ready(ctx); err != nil {
		return nil, err
	}
	var value []byte
	var good bool
	err := e.pool.QueryRow(ctx, "DELETE FROM avsproxy_notes WHERE key = $1 RETURNING value, ends > clock_timestamp()", key).Scan(&value, &good)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !good {
		return nil, nil
	}
	return value, err
}

// Advise implements [tokens.Engine].
func (e *Engine) Advise(ctx context.Context) (warnings []string, err error) {
	for _, setting := range []struct{ name, bad, why string }{
		{"fsync", "off", "fsync is off: a power cut may lose or damage logins; set fsync = on"},
		{"full_page_writes", "off", "full_page_writes is off: a power cut may damage logins; set full_page_writes = on"},
		{"synchronous_commit", "off", "synchronous_commit is off: a crash may lose the newest logins; set synchronous_commit = on"},
	} {
		var value string
		if err := e.pool.QueryRow(ctx, "SELECT current_setting($1)", setting.name).Scan(&value); err != nil {
			return nil, err
		}
		if value == setting.bad {
			warnings = append(warnings, setting.why)
		}
	}
	var replicas int
	var names string
	if err := e.pool.QueryRow(ctx, "SELECT count(*), current_setting('synchronous_standby_names') FROM pg_stat_replication").Scan(&replicas, &names); err != nil {
		return nil, err
	}
	if replicas > 0 && names == "" {
		warnings = append(warnings, "it acknowledges writes that no standby has (synchronous_standby_names is empty): a promotion may lose them")
	}
	return warnings, nil
}

var _ tokens.Engine = (*Engine)(nil)
