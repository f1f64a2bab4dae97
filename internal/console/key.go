package console

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"

	"avsproxy/internal/api"
	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// sessionCookie shows that a browser came with a ticket. Cookies know no ports: a
// server of another user on this machine, should the browser visit it under the
// same name, gets to see it. SameSite keeps it from all other sites.
const sessionCookie = "avsproxy_inspector"

// maxTickets bounds the tickets that wait; the oldest goes first.
const maxTickets = 64

// sessions are the browsers that were let in by a ticket, and the tickets that wait. The
// zero value has none.
type sessions struct {
	mu      sync.Mutex
	session string // of all browsers that are in; made with the first ticket
	tickets []string
}

// Ticket returns what lets one browser see the inspector, as ?key=. It is not the key:
// addresses stay behind in histories and lists of processes.
func (c *Console) Ticket() string {
	g := &c.sessions
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.session == "" {
		g.session = rand.Text()
	}
	ticket := rand.Text()
	if len(g.tickets) == maxTickets {
		g.tickets = slices.Delete(g.tickets, 0, 1)
	}
	g.tickets = append(g.tickets, ticket)
	return ticket
}

// Address is where people open the inspector: base, with a ticket where one is needed.
func (c *Console) Address(base string) string {
	if c.Key == "" {
		return base
	}
	return base + "/?key=" + c.Ticket()
}

// redeem takes a ticket, which is then spent, and returns the session it opens.
func (g *sessions) redeem(ticket string) (session string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.tickets, func(t string) bool { return tokens.Secret(t).Equal(tokens.Secret(ticket)) })
	if i < 0 {
		return "", false
	}
	g.tickets = slices.Delete(g.tickets, i, i+1)
	return g.session, true
}

func (g *sessions) knows(session string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.session != "" && tokens.Secret(session).Equal(tokens.Secret(g.session))
}

// requireKey shows the traffic only to clients with the key or a session, if the console
// has a key.
func (c *Console) requireKey(refused func(*exchange.Head, problem.Problem), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case c.Key == "" || !showsTraffic(r.URL.Path) || c.isCallback(httpexchange.Head(r)):
			next.ServeHTTP(w, r)
		case c.redeemTicket(w, r):
		case c.hasKey(r):
			next.ServeHTTP(w, r)
		default:
			p := keyMissing()
			if refused != nil {
				refused(httpexchange.Head(r), p)
			}
			p.Write(w)
		}
	})
}

func keyMissing() problem.Problem {
	return problem.Problem{
		Code: problem.NotAllowed, Title: "the key of the inspector is missing or wrong",
		Detail: "other users of this machine could connect here, so the traffic is shown to those who have its key",
		Hint:   "open the address that 'avsproxy status' prints; it opens the inspector once, after that the browser has a cookie",
	}
}

// showsTraffic reports whether a path is the inspector's. It errs on the side of the
// key: paths below are meant, too.
func showsTraffic(path string) bool {
	for _, own := range []string{"/har", "/api/exchanges", "/api/events", "/api/directives", "/api/explain", "/api/capture", "/api/tickets"} {
		if rest, ok := strings.CutPrefix(path, own); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return path == "/"
}

func (c *Console) hasKey(r *http.Request) bool {
	if key := r.Header.Get(api.KeyHeader); key != "" {
		return tokens.Secret(key).Equal(tokens.Secret(c.Key))
	}
	cookies := r.CookiesNamed(sessionCookie)
	return slices.ContainsFunc(cookies, func(cookie *http.Cookie) bool { return c.sessions.knows(cookie.Value) })
}

// redeemTicket gives the browser that opens the page with a ticket a session, and
// redirects it to the page's address without the ticket.
func (c *Console) redeemTicket(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != "/" || !query.Has("key") {
		return false
	}
	session, ok := c.sessions.redeem(query.Get("key"))
	if ok {
		http.SetCookie(w, &http.Cookie{
			Name: sessionCookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
			Secure: r.TLS != nil, // a cookie that came over TLS does not leave in the clear
		})
	} else if !c.hasKey(r) {
		return false
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return true
}

// newTicket is for commands, which have the key.
func (c *Console) newTicket(r *http.Request) (any, error) {
	return api.TicketMade{Address: c.Address(originOf(r))}, nil
}

// StripConsoleCredentials removes the console's key header and session cookie from a request.
// Cookies ignore ports, so a browser that is logged in would also send ours to the proxy,
// and the proxy would forward it upstream.
func StripConsoleCredentials(f exchange.Fields) {
	f.Del(api.KeyHeader)
	if len(f.Values("Cookie")) == 0 {
		return
	}
	exchange.Replace(f, "Cookie", withoutSession)
	f.DeleteFunc(func(name, value string) bool { return strings.EqualFold(name, "Cookie") && value == "" })
}

// withoutSession leaves a line without the session as it came.
func withoutSession(line string) string {
	pairs := strings.Split(line, ";")
	others := slices.DeleteFunc(slices.Clone(pairs), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.TrimSpace(name) == sessionCookie
	})
	if len(others) == len(pairs) {
		return line
	}
	return strings.TrimSpace(strings.Join(others, ";"))
}
