package proxy

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/avsroute"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// A moving is a line through a gateway, with a second sandbox that it may move to.
type moving struct {
	*line
	*avsroute.Gateway
	first, second *sandbox.Sandbox
	asked         chan avsroute.Redirection
	returned      chan *url.URL
}

func toMoving(t *testing.T, follow bool) *moving {
	m := &moving{asked: make(chan avsroute.Redirection, 64), returned: make(chan *url.URL, 64), second: start(t, sandbox.Options{})}
	m.line, m.first = toSandbox(t, sandbox.Options{}, plan{rules: func(route *Route, first *upstream.Upstream) {
		options := avsroute.GatewayOptions{First: first, OnRedirect: func(r avsroute.Redirection) { m.asked <- r }, OnFallback: func(u *url.URL) { m.returned <- u }}
		if follow {
			options.Next = m.to
		}
		m.Gateway = avsroute.NewGateway(options)
		t.Cleanup(m.Gateway.Close)
		route.Upstream = m.Gateway.Upstream
	}})
	return m
}

// to makes an upstream that trusts both sandboxes.
func (m *moving) to(origin *url.URL) *upstream.Upstream {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(m.first.RootPEM())
	roots.AppendCertsFromPEM(m.second.RootPEM())
	return upstream.New(upstream.Options{Origin: origin, Roots: roots, SingleConnection: true})
}

// hear has the gateway see an answer of the present upstream with a directive.
func (m *moving) hear(address string) {
	_, follower := m.Gateway.Upstream()
	follower.Head(200, httpexchange.Fields{"Content-Type": {"multipart/related; boundary=B"}})
	follower.Data([]byte("--B\r\nContent-Type: application/json\r\n\r\n" +
		`{"directive":{"header":{"namespace":"System","name":"SetEndpoint","messageId":"m"},"payload":{"endpoint":"` + address + `"}}}` + "\r\n--B--\r\n"))
	follower.End(nil)
}

func (m *moving) wantHost(t *testing.T, origin string) {
	t.Helper()
	if got := m.Origin().String(); got != origin {
		t.Errorf("the route is at %s, not at %s", got, origin)
	}
}

func (m *moving) direct(t *testing.T, namespace, name, key, address string) {
	t.Helper()
	if m.first.Direct(namespace, name, map[string]string{key: address}) == 0 {
		t.Fatal("nobody took the directive")
	}
}

func TestRouteMovesToTheGatewayThatAVSNames(t *testing.T) {
	for _, c := range [][3]string{{"System", "SetEndpoint", "endpoint"}, {"Alexa.ApiGateway", "SetGateway", "gateway"}} {
		over(t, func(t *testing.T, client *http.Client) {
			m := toMoving(t, true)
			_, old := openDownchannel(t, client, m.line)
			m.direct(t, c[0], c[1], c[2], m.second.AVS())
			told := testkit.Receive(t, "the report", m.asked)
			if !told.Followed || told.Origin.String() != m.second.AVS() || told.Directive != c[0]+"."+c[1] {
				t.Errorf("%+v", told)
			}
			m.wantHost(t, m.second.AVS())
			// The second sandbox does not know the tokens: it answers 403, as AVS does, also to the
			// one that was renewed.
			if got := statusOf(client, request(t, "GET", m.url+"/ping", nil)); got != http.StatusForbidden {
				t.Errorf("%d", got)
			}
			arrived := m.second.Ledger()
			if len(arrived) != 2 || arrived[0].Token != m.first.Ledger()[0].Token || "https://"+arrived[0].Authority != m.second.AVS() {
				t.Errorf("%+v", arrived)
			}
			// Streams to the former one go on, but what they say of gateways counts no more.
			m.direct(t, c[0], c[1], c[2], "https://localhost:1")
			m.first.Direct("Test", "Marker", nil)
			for line := ""; !strings.Contains(line, "Marker"); {
				var err error
				if line, err = old.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			m.wantHost(t, m.second.AVS())
			if len(m.asked) != 0 {
				t.Errorf("%+v", testkit.Receive(t, "the report", m.asked))
			}
		})
	}
}

func TestPromise2_TokenFollowsToNoStrangersGateway(t *testing.T) {
	m := toMoving(t, true)
	client := h1Client(t)
	openDownchannel(t, client, m.line)
	stranger := strings.Replace(m.second.AVS(), "localhost", "127.0.0.1", 1)
	for _, address := range []string{
		stranger, "http://localhost:9", "https://alexa.eu.gateway.devices.a2z.com", "https://user@localhost:9",
		"https://localhost:9/path", "https://localhost:9?q", "//localhost:9", "https:localhost:9", "", "https://localhost:9#f",
	} {
		m.direct(t, "System", "SetEndpoint", "endpoint", address)
	}
	m.direct(t, "System", "SetEndpoint", "endpoint", "https://last.example")
	for r := (avsroute.Redirection{}); r.Origin == nil || r.Origin.Host != "last.example"; {
		if r = testkit.Receive(t, "the report", m.asked); r.Followed || r.Why == "" {
			t.Errorf("%+v", r)
		}
	}
	m.wantHost(t, m.first.AVS())
	wantPing(t, client, m.line)
	if n := len(m.second.Ledger()); n != 0 {
		t.Errorf("%d requests went to a stranger", n)
	}
}

func TestGatewayThatIsNotFollowedIsReportedOnce(t *testing.T) {
	m := toMoving(t, false)
	client := h2cClient(t)
	openDownchannel(t, client, m.line)
	for range 3 {
		m.direct(t, "System", "SetEndpoint", "endpoint", m.second.AVS())
	}
	m.direct(t, "System", "SetEndpoint", "endpoint", m.first.AVS())
	if r := testkit.Receive(t, "the report", m.asked); r.Followed || r.Why != "follow_gateway is false" || r.Origin.String() != m.second.AVS() {
		t.Errorf("%+v", r)
	}
	if r := testkit.Receive(t, "the report", m.asked); r.Followed || r.Why != "" || r.Origin.String() != m.first.AVS() {
		t.Errorf("%+v", r)
	}
	for i := range 2 * addressesMost {
		m.direct(t, "System", "SetEndpoint", "endpoint", "https://"+strings.Repeat("a", i+1)+".example")
		wantPing(t, client, m.line) // or the sandbox's queue would overflow
	}
	m.wantHost(t, m.first.AVS())
	close(m.asked)
	told := 0
	for range m.asked {
		told++
	}
	if told > addressesMost {
		t.Errorf("%d addresses are told", told)
	}
}

func TestRouteFallsBackFromAnUnreachableGateway(t *testing.T) {
	m := toMoving(t, true)
	client := h1Client(t)
	openDownchannel(t, client, m.line)
	nobody := "https://" + strings.Replace(testkit.ClosedPort(t), "127.0.0.1", "localhost", 1)
	m.direct(t, "Alexa.ApiGateway", "SetGateway", "gateway", nobody)
	testkit.Receive(t, "the report", m.asked)
	if a := get(t, client, m.url+"/ping"); a.StatusCode != http.StatusBadGateway {
		t.Errorf("%s", a.Status)
	}
	if from := testkit.Receive(t, "the report", m.returned); from.String() != nobody {
		t.Errorf("%s", from)
	}
	m.wantHost(t, m.first.AVS())
	wantPing(t, client, m.line)
}

// Requests go through at any time while the route goes to and fro, as often as it
// may.
func TestNoRequestFailsWhileTheRouteMoves(t *testing.T) {
	m := toMoving(t, true)
	client := h2cClient(t)
	wantPing(t, client, m.line)
	var moves sync.WaitGroup
	moves.Go(func() {
		for i := range 2 * formerMost {
			to := []*sandbox.Sandbox{m.second, m.first}[i%2]
			m.hear(to.AVS())
		}
	})
	together(t, 40, func(int) {
		switch got := statusOf(client, request(t, "GET", m.url+"/ping", nil)); got {
		case http.StatusNoContent, http.StatusForbidden:
		default:
			t.Errorf("%d", got)
		}
	})
	moves.Wait()
	for i := range 2 * formerMost {
		if r := testkit.Receive(t, "the report", m.asked); r.Followed != (i < formerMost) {
			t.Errorf("%d: %+v", i, r)
		}
		if i == formerMost {
			break // what is refused is told once
		}
	}
}
