package postgresengine

import (
	"strings"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/internal/testkit/engines"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestPostgres(t *testing.T) {
	server := engines.Postgres(t)
	engine := testkit.Must(New(tokens.Secret("postgres://postgres:c4n4ry@127.0.0.1:" + server.Port + "/postgres")))(t)
	defer engine.Close()
	engines.TestEngine(t, engine)
	if warnings := testkit.Must(engine.Advise(t.Context()))(t); len(warnings) != 0 {
		t.Error(warnings)
	}
	if got := engine.String(); strings.Contains(got, "c4n4ry") || !strings.HasSuffix(got, "/postgres") {
		t.Error(got)
	}
}

func TestPostgresThatMayLoseLogins(t *testing.T) {
	server := engines.Postgres(t, "fsync=off", "synchronous_commit=off")
	engine := testkit.Must(New(tokens.Secret("postgres://postgres@127.0.0.1:" + server.Port + "/postgres")))(t)
	defer engine.Close()
	if warnings := testkit.Must(engine.Advise(t.Context()))(t); len(warnings) != 2 {
		t.Error(warnings)
	}
}

func TestAddressThatIsNone(t *testing.T) {
	if _, err := New("postgres://u:c4n4ry@h:port/x"); err == nil || strings.Contains(err.Error(), "c4n4ry") {
		t.Error(err)
	}
}
