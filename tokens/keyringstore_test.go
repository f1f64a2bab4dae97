package tokens

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"

	"avsproxy/internal/secretsource"
)

func mockKeyring(t *testing.T) *KeyringStore {
	keyring.MockInit()
	return &KeyringStore{Dir: t.TempDir()}
}

// keepsAndDeletes is what every store must do.
func keepsAndDeletes(t *testing.T, store Store) {
	t.Helper()
	now := wallNow()
	full := Grant{
		Kind: "k", ClientID: "c", Issuer: "i", Seed: "s", Access: `a|"<>&`, Refresh: "r", Scopes: []string{"x", "y"},
		LoggedIn: now.Add(-2), Renewed: now.Add(-1), Expiry: now, Refused: "invalid_grant",
	}
	short := full
	short.Refresh = ""
	testkit.NoError(t, store.Delete("alexa"))
	for _, grant := range []Grant{full, short, {Refresh: "r"}, {}, full} {
		testkit.NoError(t, store.Save("alexa", grant))
		if diff := cmp.Diff(grant, load(t, store)); diff != "" {
			t.Error(diff)
		}
	}
	for range 2 {
		testkit.NoError(t, store.Delete("alexa"))
		if _, err := store.Load("alexa"); !errors.Is(err, ErrNoGrant) {
			t.Error(err)
		}
	}
}

func TestKeyringStoreKeepsEveryFieldAndDeletes(t *testing.T) {
	store := mockKeyring(t)
	keepsAndDeletes(t, store)
	if _, err := keyring.Get("avsproxy", "alexa"); !errors.Is(err, keyring.ErrNotFound) {
		t.Error("the entry is still there")
	}
}

func TestFileBesideTheKeyringHoldsNoSecret(t *testing.T) {
	store := mockKeyring(t)
	grant := stored(time.Hour)
	for _, grant.Refresh = range []Secret{canary, ""} {
		grant.Access = canary + "-access"
		testkit.NoError(t, store.Save("alexa", grant))
		text, err := os.ReadFile(store.file().Path("alexa"))
		if err != nil || testkit.HasCanary(string(text)) {
			t.Errorf("%s, %v", text, err)
		}
	}
	if _, err := (FileStore{Dir: store.Dir}).Load("alexa"); !errors.Is(err, ErrNoGrant) {
		t.Error("a file store took the sealed token for a token")
	}
}

// between leaves what a crash within a save leaves: the entry of after beside the
// file of before.
func between(t *testing.T, before, after Grant) *KeyringStore {
	t.Helper()
	store := mockKeyring(t)
	testkit.NoError(t, store.Save("alexa", before))
	entry, _, err := splitGrant("alexa", after)
	testkit.NoError(t, err)
	testkit.NoError(t, keyring.Set("avsproxy", "alexa", entry))
	return store
}

func TestCrashBetweenKeyringAndFileKeepsTheNewestRefreshToken(t *testing.T) {
	before, after := stored(time.Hour), stored(time.Hour)
	before.Refused, after.Refresh = "invalid_grant", "refresh-9"
	store := between(t, before, after)
	want := before
	want.Access, want.Refresh, want.Refused = "", "refresh-9", ""
	if diff := cmp.Diff(want, load(t, store)); diff != "" {
		t.Error(diff)
	}
	p := newProvider()
	if mustToken(t, open(t, p, store)) != "access-1" || p.last().Get("refresh_token") != "refresh-9" {
		t.Errorf("renewed with %v", p.last())
	}
	if got := load(t, store); got.Access != "access-1" || got.Refresh != "refresh-1" {
		t.Errorf("%s, %s", got.Access.Reveal(), got.Refresh.Reveal())
	}
}

func TestKeyringEntryIsNeverSentAsSomethingElse(t *testing.T) {
	renewable, short, foreign := stored(time.Hour), stored(time.Hour), stored(time.Hour)
	short.Refresh, foreign.Issuer = "", "https://other.test/token"
	for _, pair := range [][2]Grant{{renewable, short}, {short, renewable}} {
		if got := load(t, between(t, pair[0], pair[1])); got.Access != "" || got.Refresh != pair[1].Refresh {
			t.Errorf("%s, %s", got.Access.Reveal(), got.Refresh.Reveal())
		}
	}
	if _, err := between(t, renewable, foreign).Load("alexa"); !errors.Is(err, ErrNoGrant) {
		t.Error(err)
	}
}

func TestLoginWithoutItsFileOrKeyringEntryCanBeMadeAgain(t *testing.T) {
	store := mockKeyring(t)
	for _, lose := range []func() error{
		func() error { return keyring.Delete("avsproxy", "alexa") },
		func() error { return store.file().Delete("alexa") },
	} {
		testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
		testkit.NoError(t, lose())
		if _, err := store.Load("alexa"); !errors.Is(err, ErrNoGrant) {
			t.Error(err)
		}
	}
	testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	load(t, store)
}

func TestSecondProcessAdoptsThroughTheKeyring(t *testing.T) {
	store, p := mockKeyring(t), newProvider()
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	first, second := open(t, p, store), open(t, p, &KeyringStore{Dir: store.Dir})
	if mustToken(t, first) != mustToken(t, second) || p.calls() != 1 {
		t.Errorf("%d calls", p.calls())
	}
}

func TestKeyringThatCannotBeUsedIsNamedAndLeftAlone(t *testing.T) {
	store := mockKeyring(t)
	testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	before := stat(t, store.file().Path("alexa"))
	for _, cause := range []error{errors.New("prompt dismissed"), keyring.ErrSetDataTooBig, keyring.ErrUnsupportedPlatform} {
		keyring.MockInitWithError(cause)
		_, err := store.Load("alexa")
		for _, err := range []error{err, store.Save("alexa", stored(time.Hour)), store.Delete("alexa")} {
			var unusable *UnusableError
			if !errors.As(err, &unusable) || !strings.Contains(err.Error(), "keyring") || !strings.Contains(err.Error(), `store.kind = "file"`) {
				t.Error(err)
			}
		}
	}
	if !os.SameFile(before, stat(t, store.file().Path("alexa"))) {
		t.Error("the file was touched")
	}
}

func TestUnusableFileKeepsTheKeyringFromBeingOverwritten(t *testing.T) {
	store := mockKeyring(t)
	testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	content(`{"version":99}`)(t, store.file().Path("alexa"))
	before, _ := keyring.Get("avsproxy", "alexa")
	grant := stored(time.Hour)
	grant.Refresh = "another"
	var unusable *UnusableError
	if err := store.Save("alexa", grant); !errors.As(err, &unusable) {
		t.Error(err)
	}
	if after, _ := keyring.Get("avsproxy", "alexa"); after != before {
		t.Error("the entry was overwritten")
	}
}

func TestKeyringThatHangsIsGivenUpAndNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, release, began := mockKeyring(t), make(chan struct{}), time.Now()
		var unusable *UnusableError
		_, err := store.call(func() (string, error) { <-release; return "", nil })
		if took := time.Since(began); !errors.As(err, &unusable) || took != secretsource.KeyringTimeout {
			t.Errorf("%v after %v", err, took)
		}
		if err := store.Save("alexa", stored(time.Hour)); !errors.As(err, &unusable) {
			t.Errorf("overtaken: %v", err)
		}
		close(release)
		testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	})
}

// secretService tells the test binary that it runs beside a Secret Service.
const secretService = "AVSPROXY_TEST_SECRET_SERVICE"

func TestKeyringOfTheSystem(t *testing.T) {
	if os.Getenv(secretService) != "" {
		keepsAndDeletes(t, &KeyringStore{Dir: t.TempDir(), Service: "avsproxy test"})
		if !t.Failed() {
			os.Exit(0) // past the search for leaks: the connection to the bus stays open
		}
		return
	}
	testkit.NeedTool(t, "dbus-run-session", "gnome-keyring-daemon")
	home := t.TempDir()
	child := exec.CommandContext(t.Context(), "dbus-run-session", "--", "sh", "-c",
		`printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 && exec "$0" -test.run='^TestKeyringOfTheSystem$'`, os.Args[0])
	child.Env = append(os.Environ(), secretService+"=1", "HOME="+home, "XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+home, "TMPDIR="+home)
	child.WaitDelay = 100 * time.Millisecond // the daemon may hold the output open
	if out, err := child.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("%v\n%s", err, out)
	}
}
