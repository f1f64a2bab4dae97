package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// noticed is the time below which nothing has been waited for, however busy the
// machine; waits that the table tells of are twice as long.
const noticed = 8 * time.Second

// A faultStand is a proxy before a sandbox, logged in.
type faultStand struct {
	*runningProxy
	t       *testing.T
	amazon  *sandbox.Sandbox
	clients []*http.Client // HTTP/1.1, HTTP/2
}

// newFaultStand logs in while the given faults strike.
func newFaultStand(t *testing.T, atLogin string) *faultStand {
	t.Helper()
	amazon := testkit.Must(sandbox.Start(sandbox.Options{}))(t)
	t.Cleanup(func() { amazon.Close() })
	config := strings.Replace(amazonConfig(t, amazon), `preset = "avs"`, "preset = \"avs\"\nping_interval = \"1s\"\ndial_timeout = \"2s\"", 1)
	s := &faultStand{runningProxy: startProxy(t, config), t: t, amazon: amazon}
	s.strike(atLogin)
	logIn(t, s.runningProxy, amazon)
	for _, protocol := range []string{"http/1.1", "h2c"} {
		transport := &http.Transport{Protocols: protocols(protocol), DisableCompression: true}
		t.Cleanup(transport.CloseIdleConnections)
		s.clients = append(s.clients, &http.Client{Transport: transport, Timeout: time.Minute})
	}
	return s
}

// strike puts a list of faults in the place of those before.
func (s *faultStand) strike(list string) {
	s.t.Helper()
	testkit.NoError(s.t, s.amazon.Faults().Replace(list))
}

// A sight is what a client sees of one exchange.
type sight struct {
	text  string
	good  bool          // the answer is what it would be without a fault
	retry time.Duration // Retry-After
}

func (s *faultStand) get(client *http.Client) sight {
	return s.see(client, "GET", "/sandbox/bytes?n=1000", nil, http.StatusOK)
}

// recognize sends speech of a length that is not known before.
func (s *faultStand) recognize(client *http.Client, sounds int) sight {
	body := strings.Replace(recognizeBody, "sound", strings.Repeat("sound", sounds), 1)
	return s.see(client, "POST", "/v20160207/events", io.MultiReader(strings.NewReader(body)), http.StatusOK)
}

const recognizeBody = "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" +
	`{"context":[],"event":{"header":{"namespace":"SpeechRecognizer","name":"Recognize","messageId":"m","dialogRequestId":"d"},"payload":{"profile":"CLOSE_TALK","format":"AUDIO_L16_RATE_16000_CHANNELS_1"}}}` +
	"\r\n--b\r\nContent-Disposition: form-data; name=\"audio\"\r\nContent-Type: application/octet-stream\r\n\r\nsound\r\n--b--\r\n"

func (s *faultStand) see(client *http.Client, method, path string, body io.Reader, want int) sight {
	s.t.Helper()
	began, interim := time.Now(), map[int]int{}
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		interim[code]++
		return nil
	}})
	r := testkit.Must(http.NewRequestWithContext(ctx, method, s.Proxy[0]+path, body))(s.t)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Te", "trailers") // or none come over HTTP/1.1
	resp, err := client.Do(r)
	seen := sight{text: broken(err)}
	if err == nil {
		seen = sightOf(resp, want)
		resp.Body.Close()
	}
	for code, n := range interim {
		seen.text = fmt.Sprintf("%d × %d, then %s", n, code, seen.text)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.t.Errorf("%s %s: no answer within %v", method, path, time.Since(began))
	}
	if time.Since(began) > noticed {
		seen.text += ", within 20 s"
	}
	return seen
}

func sightOf(resp *http.Response, want int) sight {
	_, err := io.Copy(io.Discard, resp.Body)
	seen := sight{text: strconv.Itoa(resp.StatusCode), good: err == nil && resp.StatusCode == want}
	if code := resp.Header.Get("Avsproxy-Error"); code != "" {
		seen.text += " `" + code + "`"
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if seen.retry = time.Duration(seconds) * time.Second; seconds > 0 {
		seen.text += ", Retry-After: " + retryText(seconds)
	}
	if len(resp.Header.Get("X-Sandbox-Huge")) > 0 {
		seen.text += " with the field"
	}
	if resp.Trailer.Get(sandbox.FaultTrailer) != "" {
		seen.text += " with trailers"
	}
	if err != nil {
		seen.text += ", then " + broken(err)
	}
	return seen
}

// retryText leaves the first back-off's jitter out.
func retryText(seconds int) string {
	if seconds <= 2 {
		return "1 or 2"
	}
	return strconv.Itoa(seconds)
}

var resetBy = regexp.MustCompile(`stream error: stream ID \d+; ([A-Z0-9_]+)`)

func broken(err error) string {
	if err == nil {
		return ""
	}
	if found := resetBy.FindStringSubmatch(err.Error()); found != nil {
		return "RST_STREAM " + found[1]
	}
	return "the connection is cut"
}

// recovery asks until there is a good answer, and says when that was.
func (s *faultStand) recovery(client *http.Client) string {
	s.t.Helper()
	began, text := time.Now(), "the next request"
	for time.Since(began) < time.Minute {
		seen := s.see(client, "GET", "/ping", nil, http.StatusNoContent)
		switch {
		case seen.good && time.Since(began) > noticed:
			return "within 20 s"
		case seen.good:
			return text
		case strings.Contains(seen.text, "login_required"):
			s.strike("")
			logIn(s.t, s.runningProxy, s.amazon)
			text = "after a login"
		case seen.retry > 0:
			text = "after " + retryAfter(seen.retry)
			time.Sleep(seen.retry)
		default:
			text = "the one after the next"
		}
	}
	s.t.Error("no good answer within a minute")
	return ""
}

func retryAfter(d time.Duration) string {
	if d <= 2*time.Second {
		return "the back-off, 1 or 2 s"
	}
	return "Retry-After, " + d.String()
}

// tryGateway strikes a GET and a Recognize of either protocol, each at a proxy of its own.
func tryGateway(t *testing.T, fault string) []string {
	var seen, next [4]string
	var trying sync.WaitGroup
	for i := range seen {
		trying.Go(func() {
			t.Run(strconv.Itoa(i), func(t *testing.T) { seen[i], next[i] = newFaultStand(t, "").strikeOne(fault, i) })
		})
	}
	trying.Wait()
	if fault == "stall-reads" && isBroken(seen[2]) && isBroken(seen[3]) {
		seen[2] = "502 `upstream_unreachable`, or a broken answer if enough was read before"
		seen[3] = seen[2]
	}
	return []string{perProtocol(seen[:2]), perProtocol(seen[2:]), strings.Join(alike(next[:]), "; ")}
}

// strikeOne strikes the ith of the exchanges that the table tells of. Faults of TLS
// strike until they are cleared, and need a new connection.
func (s *faultStand) strikeOne(fault string, i int) (seen, next string) {
	client, inTLS := s.clients[i%2], strings.HasPrefix(fault, "tls-")
	if inTLS {
		s.strike("goaway@1, " + fault)
		s.get(client)
	} else {
		s.strike(fault + "@1")
	}
	switch {
	case i < 2:
		seen = s.get(client).text
	case fault == "stall-reads": // more than could have been read before
		seen = s.recognize(client, 4<<20).text
	default:
		seen = s.recognize(client, 1).text
	}
	if inTLS {
		s.strike("")
	}
	return seen, s.recovery(client)
}

func isBroken(seen string) bool {
	return strings.Contains(seen, "502 `upstream_unreachable`") || strings.Contains(seen, ", then ")
}

// perProtocol tells what clients of HTTP/1.1 and of HTTP/2 see.
func perProtocol(seen []string) string {
	if seen[0] == seen[1] {
		return seen[0]
	}
	return "HTTP/1.1: " + seen[0] + "; HTTP/2: " + seen[1]
}

func alike(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// tryTokens strikes the renewal of a token that has ended.
func tryTokens(t *testing.T, fault string) []string {
	stand := newFaultStand(t, "expire-token=1s")
	time.Sleep(1100 * time.Millisecond) // whole seconds are all that LWA can announce
	stand.strike(fault + "@1")
	seen := stand.get(stand.clients[0])
	return []string{seen.text, stand.recovery(stand.clients[0])}
}
