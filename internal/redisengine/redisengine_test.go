package redisengine

import (
	"os/exec"
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

func TestRedisCluster(t *testing.T) {
	server := engines.Redis(t, "--cluster-enabled", "yes")
	redisCLI(t, server.Port, "cluster", "addslotsrange", "0", "16383")
	engine := testkit.Must(New(tokens.Secret("redis://127.0.0.1:" + server.Port + ",127.0.0.1:" + server.Port)))(t)
	defer engine.Close()
	testkit.Eventually(t, engine, func() bool { _, err := engine.Get(t.Context(), "x"); return err == nil })
	engines.TestEngine(t, engine)
}

// After a promotion the engine goes on at the new master, by its Sentinel.
func TestRedisSentinel(t *testing.T) {
	testkit.NeedTool(t, "redis-sentinel")
	master := engines.Redis(t)
	replica := engines.Redis(t, "--replicaof", "127.0.0.1", master.Port)
	sentinel := engines.Sentinel(t, master)
	engine := testkit.Must(New(tokens.Secret("redis-sentinel://127.0.0.1:" + sentinel.Port + "/master")))(t)
	defer engine.Close()
	engines.TestEngine(t, engine)
	testkit.Eventually(t, engine, func() bool {
		return strings.Contains(redisCLI(t, sentinel.Port, "sentinel", "replicas", "master"), replica.Port)
	})
	redisCLI(t, master.Port, "wait", "1", "5000")
	master.Kill()
	testkit.Eventually(t, engine, func() bool { _, err := engine.Swap(t.Context(), "grant:x", "3", "4", nil); return err == nil })
	if entry, err := engine.Get(t.Context(), "grant:x"); err != nil || entry.Revision != "4" {
		t.Errorf("after the promotion: %+v, %v", entry, err)
	}
}

func redisCLI(t *testing.T, port string, args ...string) string {
	t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-p", port}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
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
