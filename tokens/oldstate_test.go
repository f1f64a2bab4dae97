package tokens

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/zalando/go-keyring"
)

// oldState copies the folder of testdata, with the modes that git does not keep.
func oldState(t *testing.T) string {
	t.Helper()
	from, to := "testdata/state-22a602f", filepath.Join(t.TempDir(), "old")
	testkit.NoError(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o600)
	}))
	return to
}

// An oldLogin is what a store must make of one of 22a602f's. Of its tokens only the
// fingerprint is compared: whether the access token lives is a matter of the clock.
type oldLogin struct {
	refresh, kind string
	marked        bool // the refresh token may be spent
	refused       string
}

var oldLogins = map[string]oldLogin{
	"plain":            {"0542966f510f5fff", "authorization_code", false, ""},
	"marked":           {"36ca0a4974cbfad7", "authorization_code", true, ""},
	"halfway":          {"874addce117cf1f0", "authorization_code", false, ""},
	"damaged":          {"1338bedb959e146e", "authorization_code", true, ""},
	"refused":          {"4b327719a8ddb32a", "authorization_code", false, "invalid_grant"},
	"imported":         {"eb78b88698c7f803", "refresh_token", false, ""},
	"configured.given": {"6c719b94bcfe649e", "refresh_token", false, ""},
	"robot.own":        {"e3b0c44298fc1c14", "client_credentials", false, ""}, // of no refresh token
}

func TestLoginsOfAnEarlyVersionAreKept(t *testing.T) {
	dir := filepath.Join(oldState(t), "state")
	recovered := ""
	files := FileStore{Dir: dir, Recovered: func(path string) { recovered = filepath.Base(path) }}
	for name, want := range oldLogins {
		keepsOldLogin(t, files, name, want)
	}
	if recovered != "damaged.grant.json" {
		t.Errorf("recovered %q", recovered)
	}

	keyring.MockInit()
	text := testkit.Must(os.ReadFile(filepath.Join(dir, "..", "keyring.json")))(t)
	var entries map[string]string
	if err := json.Unmarshal(text, &entries); err != nil || len(entries) != 5 {
		t.Fatal(entries, err)
	}
	ring := &KeyringStore{Dir: dir, Service: "avsproxy of old"}
	for name, entry := range entries {
		testkit.NoError(t, keyring.Set(ring.Service, name, entry))
	}
	for name := range entries {
		keepsOldLogin(t, ring, name, oldLogins[name])
	}
}

// keepsOldLogin also saves it and looks again: what is written now keeps it, too.
func keepsOldLogin(t *testing.T, store Store, name string, want oldLogin) {
	t.Helper()
	for _, step := range []string{"as it was", "saved again"} {
		grant, err := store.Load(name)
		if err != nil {
			t.Errorf("%T, %s, %s: %v", store, name, step, err)
			return
		}
		if got := (oldLogin{Fingerprint(grant.Refresh), grant.Kind, !grant.PendingSince.IsZero(), grant.Refused}); got != want {
			t.Errorf("%T, %s, %s: %+v, want %+v", store, name, step, got, want)
		}
		if grant.Access.IsZero() || grant.Renewed.IsZero() || grant.ClientID == "" || grant.Issuer != "https://lwa.example/auth/o2/token" {
			t.Errorf("%T, %s, %s: %v %s %s", store, name, step, grant.Renewed, grant.ClientID, grant.Issuer)
		}
		if err := store.Save(name, grant); err != nil {
			t.Error(err)
		}
	}
}
