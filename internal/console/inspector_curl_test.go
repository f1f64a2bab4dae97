package console

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

// awkward is a small body of many bytes that shells and terminals have a use for, in
// a request whose headers have, too.
func awkward() turn {
	var bytes strings.Builder
	for i := range 256 {
		bytes.WriteByte(byte(i))
	}
	return turn{
		method: "POST", target: "/v20160207/events?a='b'&c=$(id)", route: "avs", status: 200,
		request: []capture.Field{asMultipart, {Name: "X-Quote", Value: `it's "q" $HOME $(id) ` + "`id`" + ` \n !! 100% ~`}, {Name: "X-Empty", Value: ""}},
		sent: multipart(
			bodyPart{"Content-Disposition: form-data; name=\"metadata\"\r\n" + jsonPart, `{"it's": "100%\n", "ü": "é"}`},
			bodyPart{"Content-Disposition: form-data; name=\"audio\"\r\nContent-Type: application/octet-stream", bytes.String() + "0\x007"}),
	}
}

// words is a body of text, whose ends of lines are CRLF.
func words() turn {
	x := awkward()
	x.sent = multipart(bodyPart{"Content-Disposition: form-data; name=\"metadata\"\r\n" + jsonPart, `{"it's": "100%\n", "ü": "é"}`})
	return x
}

type arrival struct{ Method, Target, Host, ContentType, Quote, Authorization, Body string }

// TestInspectorCopiesCurlThatRuns runs what the page copies, and compares what
// arrives with what was remembered.
func TestInspectorCopiesCurlThatRuns(t *testing.T) {
	testkit.NeedTool(t, "curl")
	var arrived arrival
	server := testkit.Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived = arrival{r.Method, r.RequestURI, r.Host, r.Header.Get("Content-Type"), r.Header.Get("X-Quote"), r.Header.Get("Authorization"), string(body)}
	}))
	turns := append(day(t), turn{method: "GET", target: "/a/../b?x[]=1&y={z}", host: "api.example", status: 200}, awkward(), words())
	v := inspectWith(t, func(c *Console) { c.Proxy = []string{server.URL} })
	address := strings.TrimPrefix(server.URL, "http://127.0.0.1")
	for i, turn := range turns {
		if turn.host == "" || strings.HasSuffix(turn.host, ".localhost:9744") {
			turn.host = strings.TrimSuffix(turn.host, ":9744")
			turn.host = map[bool]string{true: "localhost", false: turn.host}[turn.host == ""] + address
		}
		v.pass(turn)
		v.open(uint64(i + 1))
		command := v.copy()
		want := arrival{turn.method, turn.target, turn.host, capture.FieldValue(turn.request, "Content-Type"), capture.FieldValue(turn.request, "X-Quote"), "", string(turn.sent)}
		for _, shell := range []string{"sh", "bash"} {
			arrived = arrival{}
			runIn(t, shell, command, turn.sent)
			if diff := cmp.Diff(want, arrived); diff != "" {
				t.Errorf("%s: %s:\n%s", shell, command, diff)
			}
		}
		if big := len(turn.sent) > 1000; strings.Contains(command, "@body") != big {
			t.Errorf("%d bytes are in a file, or not: %s", len(turn.sent), command)
		}
		if strings.ContainsAny(command, "\r\x00") {
			t.Errorf("the command has what a terminal changes: %q", command)
		}
	}
	v.shoot("curl")
	v.click(`[aria-label="Close the command"]`)
	v.await(`document.querySelector(".command") === null`)
}

// copy presses the key and returns what was put on the clipboard.
func (v *visit) copy() string {
	v.t.Helper()
	js[bool](v, `(navigator.clipboard.writeText = async (text) => { window.copied = text; }, window.copied = "", true)`)
	v.press("c")
	v.await(`window.copied !== ""`)
	return js[string](v, `window.copied`)
}

func runIn(t *testing.T, shell, command string, body []byte) {
	t.Helper()
	testkit.NeedTool(t, shell)
	folder := t.TempDir()
	testkit.NoError(t, os.WriteFile(filepath.Join(folder, "body"), body, 0o600))
	cmd := exec.CommandContext(context.Background(), shell, "-c", command+" -sS")
	cmd.Dir = folder
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %s: %v\n%s", shell, command, err, output)
	}
}

// What lasts is shown while it comes.
func TestCurlShowsAStreamAsItComes(t *testing.T) {
	v := inspect(t, downchannel())
	v.await(rows + ` === 1`)
	v.press("j")
	if command := v.copy(); command != "curl -iN http://localhost:9744/v20160207/directives -H 'User-Agent: curl/8.14.1'" {
		t.Error(command)
	}
}
