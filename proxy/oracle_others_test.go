package proxy

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	"github.com/google/go-cmp/cmp"
)

// certificateFiles writes a certificate for localhost into a folder.
func certificateFiles(t *testing.T, dir string) (roots *x509.CertPool) {
	t.Helper()
	authority, leaf := certified(t, "localhost")
	key := testkit.Must(x509.MarshalPKCS8PrivateKey(leaf.PrivateKey))(t)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return authority.Pool()
}

// runUpstream runs a server of others' until the test ends, and waits for its port.
func runUpstream(t *testing.T, port, dir, program string, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	said := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", program, said)
		}
	})
	testkit.Eventually(t, program, func() bool {
		conn, err := net.Dial("tcp", "localhost:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// nodeUpstream plays scripts, and says in its answer what it saw.
const nodeUpstream = `
const http2 = require('http2'), fs = require('fs'), crypto = require('crypto');
const server = http2.createSecureServer({cert: fs.readFileSync('cert.pem'), key: fs.readFileSync('key.pem')});
server.on('stream', (stream, head, flags, raw) => {
	stream.on('error', () => {});
	const s = JSON.parse(Buffer.from(head['oracle-script'], 'base64'));
	const saw = {head: [], size: 0, trailer: ''}, sum = crypto.createHash('sha256');
	for (let i = 0; i < raw.length; i += 2)
		if (!['oracle', 'oracle-script', 'content-length', ':authority', 'user-agent', 'accept-encoding'].includes(raw[i])) saw.head.push(raw[i] + ': ' + raw[i + 1]);
	stream.on('trailers', (t) => { saw.trailer = JSON.stringify(t); });
	let answered = false;
	const answer = () => {
		if (answered || stream.destroyed) return;
		answered = true;
		saw.sum = sum.digest('hex');
		saw.head.sort(); // the engines differ in their order
		for (let i = 0; i < s.Interims; i++) stream.additionalHeaders({':status': 103, link: '</x>'});
		const bodiless = s.Method == 'HEAD' || s.Status == 204 || s.Status == 304;
		const fields = {':status': s.Status, 'content-type': 'text/x; a=b', 'set-cookie': ['a=1', 'b=2']};
		if (s.Early < 0) fields.saw = Buffer.from(JSON.stringify(saw)).toString('base64');
		if (s.AnswerLength && s.Status != 204) fields['content-length'] = s.Answer;
		if (bodiless) { stream.respond(fields, {endStream: true}); return; }
		if (s.AnswerTrailer) { fields.trailer = 'Sum'; stream.on('wantTrailers', () => stream.sendTrailers({sum: '12'})); }
		stream.respond(fields, {waitForTrailers: s.AnswerTrailer});
		let rest = s.Abort >= 0 ? s.Abort : s.Answer, i = 0;
		const next = () => {
			if (stream.destroyed) return;
			if (rest <= 0) { s.Abort >= 0 ? stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR) : stream.end(); return; }
			const n = Math.min(rest, i > 200 ? 100000 : s.Pieces[i % s.Pieces.length]);
			rest -= n; i++;
			stream.write(Buffer.alloc(n, 'n'), next);
		};
		next();
	};
	stream.on('data', (p) => { saw.size += p.length; if (!answered) sum.update(p); if (s.Early >= 0 && saw.size >= s.Early) answer(); });
	stream.on('end', answer);
});
server.listen(process.argv[2], 'localhost');
`

// An upstreamOfOthers is a server that we have not written.
type upstreamOfOthers struct {
	origin string
	roots  *x509.CertPool
	script func(*rand.Rand) script // what may be asked of it
}

func startNode(t *testing.T) upstreamOfOthers {
	node, dir := testkit.NeedTool(t, "node"), t.TempDir()
	_, port, _ := net.SplitHostPort(testkit.ClosedPort(t))
	testkit.NoError(t, os.WriteFile(filepath.Join(dir, "upstream.js"), []byte(nodeUpstream), 0o600))
	roots := certificateFiles(t, dir)
	runUpstream(t, port, dir, node, "upstream.js", port)
	return upstreamOfOthers{"https://localhost:" + port, roots, func(r *rand.Rand) script {
		s := newScript(r)
		for i, f := range s.Fields { // with the script, they are to be no more than the 64 KiB that a head may have
			s.Fields[i][1] = f[1][:min(len(f[1]), 3000)]
		}
		s.Abort = -1 // Node may end the stream before it resets it
		text := testkit.Must(json.Marshal(s))(t)
		s.Fields = append(s.Fields, [2]string{"Oracle-Script", base64.StdEncoding.EncodeToString(text)})
		return s
	}}
}

// sites are files to be asked for, with what no generator says.
func sites(t *testing.T, dir string) func(*rand.Rand) script {
	for _, size := range []int{0, 1, 16384, 65535, 65537, 1 << 20} {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(size)), []byte(strings.Repeat("f", size)), 0o644))
	}
	return func(r *rand.Rand) script {
		s := newScript(r)
		s.Method = pick(r, "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
		s.Path = pick(r, "/0", "/1", "/16384", "/65535?a=b", "/65537", "/1048576", "/missing", "/%31", "/a/../1", "//1")
		s.Early, s.Abort = -1, -1
		if s.Path == "/missing" && s.Method == "HEAD" { // nghttpd sends a body then
			s.Method = "GET"
		}
		s.Body %= 40_000 // what can be sent again, behind a GOAWAY
		if s.Method == "GET" || s.Method == "HEAD" {
			s.Body = 0
		}
		switch r.IntN(4) {
		case 0:
			s.Fields = append(s.Fields, [2]string{"Range", "bytes=1-99"})
		case 1:
			s.Fields = append(s.Fields, [2]string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"})
		}
		return s
	}
}

// startNginx ends its connections again and again, with a GOAWAY.
func startNginx(t *testing.T) upstreamOfOthers {
	dir := t.TempDir()
	testkit.NoError(t, os.Chmod(dir, 0o755))
	origin, roots := nginx(t, "keepalive_requests 7; client_max_body_size 16m; root "+dir+"; location ~ ^/[0-9] { }")
	return upstreamOfOthers{origin, roots, sites(t, dir)}
}

func startNghttpd(t *testing.T) upstreamOfOthers {
	program, dir := testkit.NeedTool(t, "nghttpd"), t.TempDir()
	_, port, _ := net.SplitHostPort(testkit.ClosedPort(t))
	roots := certificateFiles(t, dir)
	runUpstream(t, port, dir, program, "-d", dir, "--echo-upload", "--trailer", "sum: 12", port, "key.pem", "cert.pem")
	return upstreamOfOthers{"https://localhost:" + port, roots, sites(t, dir)}
}

// Both engines do the same before servers of others, which have habits of their own.
func TestOracle_EnginesDoTheSameBeforeServersOfOthers(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) upstreamOfOthers{"node": startNode, "nginx": startNginx, "nghttpd": startNghttpd} {
		t.Run(name, func(t *testing.T) {
			up := start(t)
			o := &oracle{scripts: map[string]*script{}, seen: map[string]*sighting{}}
			lines := map[string]*line{
				"relayed":  build(t, up.origin, up.roots, plan{source: static()}),
				"standard": build(t, up.origin, up.roots, plan{source: static(), standard: true}),
			}
			count := 60
			if testkit.IsHeavy() {
				count = 400
			}
			var running sync.WaitGroup
			for seed := range uint64(3) {
				running.Go(func() {
					client := windowedClient(t, seed)
					r := rand.New(rand.NewPCG(seed, 1))
					for i := range count {
						s, saw := up.script(r), map[string]*sighting{}
						for name, l := range lines {
							saw[name] = o.play(t, client, l.url, "x", &s)
							if s.Method == http.MethodHead { // the standard engine says nothing of trailers that do not come
								saw[name].Trailer = ""
							}
						}
						if diff := cmp.Diff(saw["standard"], saw["relayed"]); diff != "" {
							t.Errorf("seed %d, %d: %+v: the client sees\n%s", seed, i, s, diff)
						}
					}
				})
			}
			running.Wait()
		})
	}
}

// windowedClient has windows of a size of its own.
func windowedClient(t *testing.T, seed uint64) *http.Client {
	client := h2cClient(t)
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{
		MaxReceiveBufferPerStream: []int{64 << 10, 4 << 20, 200_000}[seed%3], MaxReceiveBufferPerConnection: []int{64 << 10, 16 << 20, 65_536}[seed%3],
	}
	return client
}

// Both engines do the same where tokens are refused, or end: with what the upstream sees, too.
// Each exchange has a login of its own, for refusals have pauses between them.
func TestOracle_EnginesHealTheSame(t *testing.T) {
	count := 60
	if testkit.IsHeavy() {
		count = 300
	}
	var running sync.WaitGroup
	for seed := range uint64(2) {
		running.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			for i := range count {
				s := newScript(r)
				s.GiveUp, s.Abort, s.Early, s.Trailer = -1, -1, -1, false
				refusals, status, atOnce, ended := r.IntN(3), pick(r, 401, 403), chance(r, 4), chance(r, 3)
				saw, arrived := map[string]*sighting{}, map[string][]string{}
				for _, name := range []string{"relayed", "standard"} {
					saw[name], arrived[name] = heals(t, name == "standard", s, refusals, status, atOnce, ended)
				}
				what := fmt.Sprintf("seed %d, %d: %d times %d, at once %t, ended %t: %+v", seed, i, refusals, status, atOnce, ended, s)
				if diff := cmp.Diff(saw["standard"], saw["relayed"]); diff != "" {
					t.Errorf("%s: the client sees\n%s", what, diff)
				}
				if diff := cmp.Diff(arrived["standard"], arrived["relayed"]); diff != "" {
					t.Errorf("%s: the upstream sees\n%s", what, diff)
				}
			}
		})
	}
	running.Wait()
}

// heals plays a script before an upstream that refuses the first tokens, at once or when it has
// read all. ended = the first token is none that lives.
func heals(t *testing.T, standard bool, s script, refusals, status int, atOnce, ended bool) (saw *sighting, arrived []string) {
	var mu sync.Mutex
	o := &oracle{scripts: map[string]*script{}, seen: map[string]*sighting{}}
	server := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		refused := len(arrived) < refusals
		arrived = append(arrived, r.Header.Get("Authorization"))
		mu.Unlock()
		if !refused {
			o.ServeHTTP(w, r)
			return
		}
		if !atOnce {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "refused")
	}), func(*httptest.Server) {})
	defer server.Close()
	n := 0
	source := &tokens.Source{Name: "alexa", Kind: "authorization_code", Store: &tokens.MemoryStore{}, Renew: func(context.Context, tokens.Grant) (tokens.Grant, error) {
		n++
		return tokens.Grant{Access: tokens.Secret(fmt.Sprint("renewed", n)), Refresh: "r"}, nil
	}}
	grant := tokens.Grant{Access: "first", Refresh: "r"}
	if ended {
		grant.Access = ""
	}
	source.Seed = starting(grant)
	l := build(t, server.URL, testkit.Pool(server), plan{source: source, standard: standard, credential: Credential{HealOn: []int{401, 403}}})
	defer l.upstream.Close()
	client := h2cClient(t)
	defer client.CloseIdleConnections()
	saw = o.play(t, client, l.url, "x", &s)
	mu.Lock()
	defer mu.Unlock()
	if atOnce && s.Body > 0 { // whether all of the request had come by then is chance, and so whether it is sent again
		return &sighting{}, nil
	}
	return saw, arrived
}
