package proxy

import (
	"context"
	"net/http"
	"time"
)

// A Decision is what was done about the credential of a request.
type Decision string

const (
	Injected      Decision = "injected"       // the route's credential was added
	NoCredential  Decision = "no_credential"  // the route has none; the request passed as it was
	Kept          Decision = "kept"           // the client's own credential was left in place
	LoginMissing  Decision = "login_required" // answered locally: nobody has logged in
	RefreshFailed Decision = "refresh_failed" // answered locally: the token ended and could not be renewed
	Refused       Decision = "refused"        // answered locally: policy
	StoodIn       Decision = "stood_in"       // answered locally: a token request, with a dummy
	Shared        Decision = "shared"         // a client of the downchannel that the proxy holds
	Tunnelled     Decision = "tunnelled"      // a CONNECT whose bytes nobody looked at
)

// An Exchange is what became of one request.
type Exchange struct {
	Route    string
	Method   string
	Path     string // without the query, which may hold anything; whole, with the host, where there is no route
	Proto    string // the client's protocol, as net/http names it
	Status   int    // 499 = the client hung up before an answer
	Written  int64  // bytes of the answer's body, of what followed a 101, or to a tunnel's client
	Sent     int64  // bytes from a tunnel's client
	Began    time.Time
	Took     time.Duration
	Decision Decision
	Replayed bool // the upstream refused the token, and the request was sent again with a new one
	// Fault is why the answer is ours or was cut; nil = it is the upstream's, whole,
	// or the client hung up. Its text quotes nothing that the upstream sent.
	Fault error

	taken *switched // the upstream's side, where the connection was taken over
}

// statusClientGone is the status that logs use for a client that hung up.
const statusClientGone = 499

type exchangeKey struct{}

// note hands f the exchange that ctx belongs to, if it is observed.
func note(ctx context.Context, f func(*Exchange)) {
	if exchange, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		f(exchange)
	}
}

// Observe calls began with the route's name ("" = none) when a request arrives, and what
// that returned when next has finished with it. It stands before the injector
// and so never sees a token.
func Observe(route string, began func(route string) (done func(Exchange)), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Trailer == nil && r.ContentLength < 0 {
			// In it net/http leaves trailers that nobody announced; without it they
			// would be left in r alone, and next gets a copy.
			r.Trailer = http.Header{}
		}
		done := began(route)
		exchange := &Exchange{Route: route, Method: r.Method, Path: r.URL.EscapedPath(), Proto: r.Proto, Began: time.Now()}
		observed := &observedWriter{ResponseWriter: w, http10: !r.ProtoAtLeast(1, 1)}
		defer func() { // also when next panics with http.ErrAbortHandler
			exchange.settle(observed)
			done(*exchange)
		}()
		next.ServeHTTP(observed, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, exchange)))
	})
}

func (e *Exchange) settle(w *observedWriter) {
	e.Took = time.Since(e.Began)
	if e.Decision == Tunnelled { // its bytes do not come by here
		return
	}
	e.Status, e.Written = w.finalStatus(), w.written
	if e.taken != nil && w.status == 0 {
		e.Status, e.Written = http.StatusSwitchingProtocols, e.taken.read.Load()
	}
	e.taken = nil
}

// An observedWriter notes status and size. http.ResponseController reaches the
// writer below by Unwrap.
type observedWriter struct {
	http.ResponseWriter
	status  int
	written int64
	http10  bool
}

func (w *observedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *observedWriter) WriteHeader(status int) {
	final := status >= 200 || status == http.StatusSwitchingProtocols
	if final {
		w.status = status
	} else if w.http10 {
		return // RFC 9110 section 15.2: such a client would take it for the answer
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *observedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

func (w *observedWriter) finalStatus() int {
	if w.status == 0 {
		return statusClientGone
	}
	return w.status
}
