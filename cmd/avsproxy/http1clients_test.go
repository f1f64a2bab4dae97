package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// askJava sends a POST with a body of unknown length, as Java's own client does it.
const askJava = `
import java.net.URI;
import java.net.http.*;
import java.io.*;
public class Ask {
	public static void main(String[] args) throws Exception {
		HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
		for (int i = 0; i < 2; i++) {
			HttpRequest.BodyPublisher body = i == 0 ? HttpRequest.BodyPublishers.ofString("hello") : HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream("hello".getBytes()));
			HttpResponse<String> r = client.send(HttpRequest.newBuilder(URI.create(args[0])).POST(body).build(), HttpResponse.BodyHandlers.ofString());
			if (!r.body().equals("POST hello")) { System.out.println(r.statusCode() + r.body()); System.exit(1); }
		}
		System.out.print("POST hello");
	}
}
`

// http1Clients are commands that send "hello" by a POST over HTTP/1.x to $URL, at $PORT, and print
// the body of the answer. What begins with the name of a tool needs it.
var http1Clients = map[string]struct{ tool, command string }{
	"curl":                {"curl", `curl -sS --http1.1 -d hello "$URL"`},
	"curl, HTTP/1.0":      {"curl", `curl -sS --http1.0 -d hello "$URL"`},
	"curl, upload":        {"curl", `printf hello | curl -sS -X POST -T - "$URL"`},
	"curl, expected":      {"curl", `curl -sS -H 'Expect: 100-continue' -d hello "$URL"`},
	"curl, forward proxy": {"curl", `curl -sS --noproxy '' -x "$URL" -d hello "$URL"`},
	"wget":                {"wget", `wget -qO- --post-data=hello "$URL"`},
	"nc, half closed":     {"nc", `printf 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello' | nc -N localhost "$PORT" | tail -n 1`},
	"nc, HTTP/1.0":        {"nc", `printf 'POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello' | nc -N localhost "$PORT" | tail -n 1`},
	"Python, http.client": {"python3", `python3 -c 'import http.client, os; c = http.client.HTTPConnection("localhost", int(os.environ["PORT"])); [(c.request("POST", "/", b), r := c.getresponse().read()) for b in ("hello", iter([b"hel", b"lo"]))]; print(r.decode(), end="")'`},
	"Python, urllib":      {"python3", `python3 -c 'import urllib.request, os; print(urllib.request.urlopen(os.environ["URL"], b"hello").read().decode(), end="")'`},
	"Python, requests":    {"python3:requests", `$TOOL -c 'import requests, os; s = requests.Session(); s.post(os.environ["URL"], data=iter([b"hel", b"lo"])); print(s.post(os.environ["URL"], data="hello").text, end="")'`},
	"Python, httpx":       {"python3:httpx", `$TOOL -c 'import httpx, os; c = httpx.Client(); c.post(os.environ["URL"], content=iter([b"hel", b"lo"])); print(c.post(os.environ["URL"], content="hello").text, end="")'`},
	"Node, fetch":         {"node", `node -e 'fetch(process.env.URL, {method: "POST", body: "hello"}).then(r => r.text()).then(t => process.stdout.write(t))'`},
	"Node, http":          {"node", `node -e 'const r = require("http").request(process.env.URL, {method: "POST"}, a => a.pipe(process.stdout)); r.write("hel"); setTimeout(() => r.end("lo"), 50)'`},
	"PHP":                 {"php", `php -r 'echo file_get_contents(getenv("URL"), false, stream_context_create(["http" => ["method" => "POST", "content" => "hello", "header" => "Content-Type: text/plain"]]));'`},
	"Java":                {"javac", `java "$DIR/Ask.java" "$URL"`},
}

// Clients of HTTP/1.x that others wrote get their answers, whatever the upstream speaks.
func TestClientsOfHTTP1AreServed(t *testing.T) {
	dir := t.TempDir()
	testkit.NoError(t, os.WriteFile(filepath.Join(dir, "Ask.java"), []byte(askJava), 0o600))
	for _, http2 := range []bool{false, true} {
		upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Method+" "+string(body))
		}), func(server *httptest.Server) { server.EnableHTTP2 = http2 })
		proxy := startProxy(t, fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = %q\nca_file = %q\n",
			upstream.URL, testkit.CertFile(t, upstream)))
		port := proxy.Proxy[0][strings.LastIndex(proxy.Proxy[0], ":")+1:]
		for name, c := range http1Clients {
			t.Run(map[bool]string{false: "HTTP/1.1 upstream/", true: "HTTP/2 upstream/"}[http2]+name, func(t *testing.T) {
				tool := testkit.NeedTool(t, c.tool)
				cmd := exec.CommandContext(testkit.Context(t), "sh", "-c", c.command)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DIR=" + dir, "TOOL=" + tool, "PORT=" + port, "URL=http://localhost:" + port + "/"}
				out, err := cmd.CombinedOutput()
				if string(out) != "POST hello" || err != nil {
					t.Errorf("%q, %v", out, err)
				}
			})
		}
	}
}
