package engines_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/postgresengine"
	"avsproxy/internal/redisengine"
	"avsproxy/internal/testkit"
	"avsproxy/internal/testkit/engines"
	"avsproxy/tokens"
)

// A setup is what a replica, which is this test in a process of its own, is told.
type setup struct{ Kind, Address, TokenURL, Folder string }

const setupVariable = "AVSPROXY_TEST_REPLICA"

func TestMain(m *testing.M) {
	if text := os.Getenv(setupVariable); text != "" {
		var conf setup
		if err := json.Unmarshal([]byte(text), &conf); err != nil {
			panic(err)
		}
		conf.run()
	}
	testkit.Main(m)
}

func (c setup) engine() tokens.Engine {
	var engine tokens.Engine
	var err error
	if c.Kind == "redis" {
		engine, err = redisengine.New(tokens.Secret(c.Address))
	} else {
		engine, err = postgresengine.New(tokens.Secret(c.Address))
	}
	if err != nil {
		panic(err)
	}
	return engine
}

const family = tokens.Secret("a key that all replicas of this test have")

func (c setup) store() *tokens.SharedStore {
	sealer, err := tokens.NewSealer(family)
	if err != nil {
		panic(err)
	}
	return &tokens.SharedStore{Engine: c.engine(), Sealer: sealer, Owner: filepath.Base(c.Folder), Journal: tokens.FileStore{Dir: c.Folder}, LongestAnswer: 2 * time.Second}
}

func (c setup) client() *tokens.Client {
	return &tokens.Client{ID: "me", TokenURL: c.TokenURL, HTTP: http.DefaultClient}
}

// run asks for tokens until it is killed, and prints how each question ended.
func (c setup) run() {
	client := c.client()
	source := &tokens.Source{Name: "alexa", Store: c.store(), Renew: client.Refresh}
	_ = source.Load() // what is wrong is told with each token
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		token, err := source.Token(ctx)
		cancel()
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("token", token.Access.Reveal())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A process is a replica as its parent sees it.
type process struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	last string // what it printed
	good int    // tokens so far
}

func start(t *testing.T, conf setup) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), setupVariable+"="+string(testkit.Must(json.Marshal(conf))(t)))
	p.cmd.Stderr = os.Stderr
	out := testkit.Must(p.cmd.StdoutPipe())(t)
	testkit.NoError(t, p.cmd.Start())
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			if p.last = lines.Text(); strings.HasPrefix(p.last, "token") {
				p.good++
			}
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d tokens, last: %.200s", p.good, p.last)
}

func (p *process) tokens() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.good
}

// A provider rotates refresh tokens at each use. Who lost an answer may send its refresh token again, until the
// successor was used; an older one ends the login.
type provider struct {
	*httptest.Server
	mu              sync.Mutex
	last, successor string
	spent           map[string]bool
	calls           int
	rotations       int
	revoked         string
}

func newProvider(t *testing.T) *provider {
	p := &provider{spent: map[string]bool{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.token))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	sent := r.FormValue("refresh_token")
	w.Header().Set("Content-Type", "application/json")
	if p.spent[sent] || p.revoked != "" {
		p.revoked = sent
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	if p.successor == "" || sent == p.successor {
		p.spent[p.last] = p.successor != ""
		p.rotations++
		p.last, p.successor = sent, fmt.Sprintf("refresh-%d", p.rotations)
	}
	fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":%q,"token_type":"bearer","expires_in":1}`, p.calls, p.successor)
}

func (p *provider) state() (calls, rotations int, revoked string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.rotations, p.revoked
}

// Three replicas share a login whose tokens live for a second. They are killed, stopped and cut off at any
// moment, and so is the engine: the login is never revoked, and each token call that makes no new token has its reason.
func TestReplicasAndRedis(t *testing.T) {
	testkit.Heavy(t)
	server := engines.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	chaos(t, setup{Kind: "redis", Address: "redis://127.0.0.1:PORT"}, server, func() {})
}

func TestReplicasAndPostgres(t *testing.T) {
	testkit.Heavy(t)
	server := engines.Postgres(t)
	chaos(t, setup{Kind: "postgres", Address: "postgres://postgres@127.0.0.1:PORT/postgres"}, server, func() {
		kill := exec.Command("psql", "-qAt", "-h", "127.0.0.1", "-p", server.Port, "-U", "postgres", "-c",
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'avsproxy'")
		if out, err := kill.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// A relay is a replica's way to the engine, which can be cut.
type relay struct {
	net.Listener
	mu    sync.Mutex
	to    string
	away  bool
	conns []net.Conn
}

func newRelay(t *testing.T, port string) *relay {
	r := &relay{Listener: testkit.Listen(t), to: "127.0.0.1:" + port}
	go func() {
		for {
			conn, err := r.Accept()
			if err != nil {
				return
			}
			go r.carry(conn)
		}
	}()
	return r
}

func (r *relay) carry(conn net.Conn) {
	server, err := net.Dial("tcp", r.to)
	r.mu.Lock()
	if err != nil || r.away {
		r.mu.Unlock()
		conn.Close()
		if err == nil {
			server.Close()
		}
		return
	}
	r.conns = append(r.conns, conn, server)
	r.mu.Unlock()
	go func() { io.Copy(server, conn); server.Close() }()
	io.Copy(conn, server)
	conn.Close()
}

func (r *relay) cut(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
	for _, conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
}

func (r *relay) port() string {
	_, port, _ := net.SplitHostPort(r.Addr().String())
	return port
}

func chaos(t *testing.T, conf setup, server *engines.Server, killConnections func()) {
	p := newProvider(t)
	conf.TokenURL = p.URL + "/token"
	folder := t.TempDir()
	var relays [4]*relay
	for i := range relays {
		relays[i] = newRelay(t, server.Port)
		defer relays[i].cut(true)
	}
	named := func(i int) setup {
		own := conf
		own.Folder, own.Address = filepath.Join(folder, fmt.Sprint(i)), strings.Replace(conf.Address, "PORT", relays[i].port(), 1)
		return own
	}
	first := named(3)
	login := first.client().Imported("refresh-0")
	login.Kind, login.Expiry = "authorization_code", time.Now()
	store := first.store()
	defer store.Engine.(io.Closer).Close()
	testkit.NoError(t, store.Save("alexa", login))
	var replicas [3]*process
	for i := range replicas {
		replicas[i] = start(t, named(i))
		defer func() { replicas[i].kill() }()
	}
	events := 0
	for end := time.Now().Add(25 * time.Second); time.Now().Before(end); time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) {
		i := rand.IntN(len(replicas))
		switch rand.IntN(10) {
		case 0, 1, 2, 3, 4: // at whichever step it is
			replicas[i].kill()
			replicas[i] = start(t, named(i))
			events++
		case 5: // past its lease it takes longer; past its mark it does not
			_ = replicas[i].cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(3 * time.Second)
			_ = replicas[i].cmd.Process.Signal(syscall.SIGCONT)
			events++
		case 6:
			server.Kill()
			time.Sleep(300 * time.Millisecond)
			server.Start()
			events++
		case 7: // one replica alone loses the engine
			relays[i].cut(true)
			time.Sleep(1500 * time.Millisecond)
			relays[i].cut(false)
			events++
		case 8:
			killConnections()
			events++
		}
	}
	for _, r := range replicas {
		before := r.tokens()
		testkit.Eventually(t, r, func() bool { return r.tokens() > before+10 })
	}
	calls, rotations, revoked := p.state()
	t.Logf("%d rotations, %d token calls, %d deaths and stops", rotations, calls, events)
	if revoked != "" {
		t.Errorf("the login was revoked: %s was sent again", revoked)
	}
	if rotations < 10 || calls > rotations+2*events+3 {
		t.Errorf("%d token calls for %d rotations and %d deaths and stops", calls, rotations, events)
	}
}
