package redisengine

import (
	"strings"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/internal/testkit/engines"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestRedis(t *testing.T) {
	server := engines.Redis(t)
	engine := testkit.Must(New(tokens.Secret("redis://127.0.0.1:" + server.Port + "/3")))(t)
	defer engine.Close()
	engines.TestEngine(t, engine)
	warnings := testkit.Must(engine.Advise(t.Context()))(t)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "append-only") {
		t.Error(warnings)
	}
}

func TestRedisWithPassword(t *testing.T) {
	server := engines.Redis(t, "--appendonly", "yes", "--appendfsync", "always", "--user", "me", "on", ">c4n4ry@/", "~avsproxy:*", "+@all", "--user", "default", "off")
	engine := testkit.Must(New(tokens.Secret("redis://me:c4n4ry%40%2F@127.0.0.1:" + server.Port)))(t)
	defer engine.Close()
	if got := engine.String(); got != "redis://127.0.0.1:"+server.Port {
		t.Error(got)
	}
	if warnings := testkit.Must(engine.Advise(t.Context()))(t); len(warnings) != 0 {
		t.Error(warnings)
	}
	wrong := testkit.Must(New(tokens.Secret("redis://me:wr0ng@127.0.0.1:" + server.Port)))(t)
	defer wrong.Close()
	if _, err := wrong.Get(t.Context(), "x"); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"redis://h":                              "redis://h:6379",
		"rediss://u:p@h:1/2":                     "rediss://h:1",
		"redis://a:1,b:2":                        "redis://a:1,b:2",
		"redis-sentinel://:p@a:1,b:2/mymaster/1": "redis-sentinel://a:1,b:2",
	} {
		engine, err := New(tokens.Secret(address))
		if err != nil || engine.String() != want {
			t.Errorf("%s: %v, %v", address, engine, err)
			continue
		}
		engine.Close()
	}
	for _, address := range []string{"", "http://h", "redis://", "redis://h/x", "redis-sentinel://a:1", "redis://u:c4n4ry%@h"} {
		if _, err := New(tokens.Secret(address)); err == nil || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
