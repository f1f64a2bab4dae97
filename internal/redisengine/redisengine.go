// Package redisengine keeps the entries of a [tokens.SharedStore] in Redis or Valkey: one server,
// one behind Sentinel, or a cluster.
package redisengine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"avsproxy/tokens"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const (
	// Prefix begins all keys.
	Prefix  = "avsproxy:"
	channel = Prefix + "changes" // of hints
)

// An Engine is a [tokens.Engine]. It connects when it is first used.
type Engine struct {
	client redis.UniversalClient
	name   string
}

// addressPattern has scheme, login, hosts and path of an address. Those of several hosts are no
// URLs to net/url.
var addressPattern = regexp.MustCompile(`^(rediss?(?:-sentinel)?)://([^/]*@)?([^/?@]+)(/[^?]*)?$`)

// New returns the engine at an address:
//
//	redis://[USER:PASSWORD@]HOST:PORT[/DB]           one server; rediss:// = over TLS
//	redis://[USER:PASSWORD@]HOST:PORT,HOST:PORT...   a cluster
//	redis-sentinel://[USER:PASSWORD@]HOST:PORT,.../MASTER[/DB]   by its Sentinels; rediss-sentinel:// = over TLS
//
// The error does not repeat the address, which has a password.
func New(address tokens.Secret) (*Engine, error) {
	parts := addressPattern.FindStringSubmatch(address.Reveal())
	if parts == nil {
		return nil, errors.New("is no address of Redis")
	}
	scheme, path := parts[1], strings.Split(strings.Trim(parts[4], "/"), "/")
	login, err := url.Parse("redis://" + parts[2] + "host")
	if err != nil {
		return nil, errors.New("has a user name or a password that is not percent-encoded")
	}
	options := &redis.UniversalOptions{
		ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second, DialTimeout: 3 * time.Second, MaxRetries: -1,
		PoolSize: 10, ContextTimeoutEnabled: true, DisableIdentity: true, Username: login.User.Username(),
	}
	options.Password, _ = login.User.Password()
	if strings.HasPrefix(scheme, "rediss") {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if strings.HasSuffix(scheme, "-sentinel") {
		if path[0] == "" {
			return nil, errors.New("names no master behind its Sentinels")
		}
		options.MasterName, path = path[0], path[1:]
	}
	if len(path) > 0 && path[0] != "" {
		if options.DB, err = strconv.Atoi(path[0]); err != nil {
			return nil, errors.New("has something else than the number of a database as its path")
		}
	}
	for host := range strings.SplitSeq(parts[3], ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "6379")
		}
		options.Addrs = append(options.Addrs, host)
	}
	logging.Disable() // its lines go to stderr, past our log
	return &Engine{redis.NewUniversalClient(options), scheme + "://" + strings.Join(options.Addrs, ",")}, nil
}

// String is the address without user and password.
func (e *Engine) String() string { return e.name }

// Close ends the connections.
func (e *Engine) Close() error { return e.client.Close() }

// An entry is a hash: r = its revision, v = its value, t = when it was written, in microseconds by the server's clock.
var getScript = redis.NewScript(`
local entry = redis.call('HMGET', KEYS[1], 'r', 'v', 't')
if not entry[1] then return false end
local now = redis.call('TIME')
return {entry[1], entry[2], tostring(now[1] * 1000000 + now[2] - entry[3])}`)

var swapScript = redis.NewScript(`
if (redis.call('HGET', KEYS[1], 'r') or '') ~= ARGV[1] then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'r', ARGV[2], 'v', ARGV[3], 't', string.format('%.0f', now[1] * 1000000 + now[2]))
redis.pcall('PUBLISH', ARGV[4], KEYS[1])
return 1`)

// Get implements [tokens.Engine].
func (e *Engine) Get(ctx context.Context, key string) (tokens.Entry, error) {
	fields, err := getScript.Run(ctx, e.client, []string{Prefix + key}).StringSlice()
	if errors.Is(err, redis.Nil) {
		return tokens.Entry{}, nil
	}
	if err != nil {
		return tokens.Entry{}, err
	}
	if len(fields) != 3 {
		return tokens.Entry{}, fmt.Errorf("%s holds something else than an entry", key)
	}
	age, err := strconv.ParseFloat(fields[2], 64)
	if err != nil {
		return tokens.Entry{}, fmt.Errorf("%s has no time", key)
	}
	return tokens.Entry{Revision: fields[0], Value: []byte(fields[1]), Age: max(0, time.Duration(age)*time.Microsecond)}, nil
}

// Swap implements [tokens.Engine].
func (e *Engine) Swap(ctx context.Context, key, old, revision string, value []byte) (bool, error) {
	won, err := swapScript.Run(ctx, e.client, []string{Prefix + key}, old, revision, value, channel).Int()
	return won == 1, err
}

var leaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	return 1
end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`)

var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// Lease implements [tokens.Engine].
func (e *Engine) Lease(ctx context.Context, key, owner string, life time.Duration) (bool, error) {
	got, err := leaseScript.Run(ctx, e.client, []string{Prefix + key}, owner, life.Milliseconds()).Int()
	return got == 1, err
}

// Release implements [tokens.Engine].
func (e *Engine) Release(ctx context.Context, key, owner string) error {
	return releaseScript.Run(ctx, e.client, []string{Prefix + key}, owner).Err()
}

// Put implements [tokens.Engine].
func (e *Engine) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	return e.client.Set(ctx, Prefix+key, value, life).Err()
}

// Take implements [tokens.Engine].
func (e *Engine) Take(ctx context.Context, key string) ([]byte, error) {
	value, err := e.client.GetDel(ctx, Prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return value, err
}

// Changes implements [tokens.Engine].
func (e *Engine) Changes(ctx context.Context, subscribed func(), changed func(key string)) error {
	subscription := e.client.Subscribe(ctx, channel)
	defer subscription.Close()
	defer context.AfterFunc(ctx, func() { subscription.Close() })() // a read does not heed ctx
	if _, err := subscription.Receive(ctx); err != nil {
		return err
	}
	subscribed()
	for {
		message, err := subscription.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		changed(strings.TrimPrefix(message.Payload, Prefix))
	}
}

// Advise implements [tokens.Engine].
func (e *Engine) Advise(ctx context.Context) (warnings []string, err error) {
	info, err := e.client.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	major, _ := strconv.Atoi(strings.Split(values["redis_version"], ".")[0])
	if major < 6 {
		warnings = append(warnings, "Redis "+values["redis_version"]+" is too old for GETDEL: use 6.2 or newer, or Valkey")
	}
	switch {
	case values["aof_enabled"] != "1":
		warnings = append(warnings, "it has no append-only file (appendonly no): after a crash it may have lost the newest logins; set appendonly yes")
	case e.setting(ctx, "appendfsync") == "no":
		warnings = append(warnings, "it leaves writing to disk to the system (appendfsync no): after a power cut it may have lost the newest logins; set appendfsync always")
	case e.setting(ctx, "appendfsync") == "everysec":
		warnings = append(warnings, "it writes to disk each second (appendfsync everysec): a power cut may lose the logins of that second; set appendfsync always")
	}
	if slaves := values["connected_slaves"]; slaves != "" && slaves != "0" && e.setting(ctx, "min-replicas-to-write") == "0" {
		warnings = append(warnings, "it acknowledges writes that no replica has (min-replicas-to-write 0): a promotion may lose them; set min-replicas-to-write 1")
	}
	if policy := e.setting(ctx, "maxmemory-policy"); policy != "noeviction" && policy != "" && !strings.HasPrefix(policy, "volatile") {
		warnings = append(warnings, "it drops entries when its memory is full (maxmemory-policy "+policy+"): set noeviction")
	}
	return warnings, nil
}

// setting is one of the server's; empty = it does not say, as with many that are hosted.
func (e *Engine) setting(ctx context.Context, name string) string {
	return e.client.ConfigGet(ctx, name).Val()[name]
}

var _ tokens.Engine = (*Engine)(nil)
