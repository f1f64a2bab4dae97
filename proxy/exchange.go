package proxy

import "time"

// A Decision is what was done about the credential of a request.
type Decision string

const (
	Injected      Decision = "injected"       // the route's credential was added
	NoCredential  Decision = "no_credential"  // the route has none; the request passed as it was
	Kept          Decision = "kept"           // the client's own credential was left in place
	LoginMissing  Decision = "login_required" // answered locally: nobody has logged in
	RefreshFailed Decision = "refresh_failed" // answered locally: the token ended and could not be renewed
	Refused       Decision = "refused"        // answered locally: policy
	StoodIn       Decision = "stood_in"       // answered locally: a token request, with a placeholder
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
	Sent     int64  // bytes from a tunnel's client, or of what followed a 101
	Began    time.Time
	Arrived  time.Time // before the guard; zero = unknown
	Took     time.Duration
	Decision Decision
	Replayed bool // the upstream refused the token, and the request was sent again with a new one
	// Credential names the one that was asked for a token; empty = none was.
	Credential string
	// TokenAge is how long ago the token was got, TokenLeft how long it lives on, when
	// it was injected. Negative = unknown, or no token was.
	TokenAge, TokenLeft time.Duration
	Upstream            Hop
	Tries               int // how often the request was given to a connection
	// Token and Connect are how long it waited for a token, and for a connection: TLS,
	// being held until the upstream is back, and waiting for a stream, included. TLS is
	// how much of Connect the handshake took.
	Token, Connect, TLS time.Duration
	FirstByte           time.Duration // from Began to the answer's head; zero = there was none
	Error               string        // the code of an answer that is ours; empty = it is not, or no problem
	Ended               string        // how the answer or the upstream was cut, in a sentence; empty = it was not
	// Fault is why the answer is ours or was cut; nil = it is the upstream's, whole,
	// or the client hung up. Its text quotes nothing that the upstream sent.
	Fault error

	taken *switched // the upstream's side, where the connection was taken over
}

// A Hop is the connection on which a request was sent last.
type Hop struct {
	Origin string // scheme and host; empty = there was none
	Proto  string // of the answer, as net/http names it; empty = none came
	Conn   uint64 // the connection's number among all to this upstream; 0 = unknown
	Stream uint32 // of HTTP/2; 0 = unknown, or HTTP/1.x
	Reused bool   // it had requests before
}
