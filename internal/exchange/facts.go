package exchange

import "time"

// Facts are what is known of an exchange. The log, the metrics, the capture, HAR and the
// API take them from here.
type Facts struct {
	Route  string // empty = none
	Status int    // 499 = the client hung up before an answer
	// Decision is what was done about the credential named Credential, which is empty
	// where none was asked for a token.
	Decision   Decision
	Credential string
	// TokenAge is how long ago the token was got, TokenLeft how long it lives on, when
	// it was injected. Negative = unknown, or no token was.
	TokenAge, TokenLeft time.Duration
	Upstream            ConnInfo // on which the request was sent last
	Tries               int      // how often the request was given to a connection
	Lasts               bool     // the answer has no end of its own, as those of event streams
	Replayed            bool     // the upstream refused the token, and the request was sent again with a new one

	Arrived time.Time // before admission; zero = unknown
	Began   time.Time // when it was admitted
	// Token and Connect are how long it waited for a token, and for a connection: TLS,
	// being held until the upstream is back, and waiting for a stream, included. TLS is
	// how much of Connect the handshake took.
	Token, Connect, TLS time.Duration
	FirstByte           time.Duration // from Began to the answer's head; zero = there was none
	Took                time.Duration // from Began to the end

	Written int64  // bytes of the answer's body, of what followed a 101, or to a tunnel's client
	Sent    int64  // bytes from a tunnel's client, or of what followed a 101
	Error   string // the code of an answer that is ours; empty = it is not, or no problem
	Ended   string // how the answer or the upstream was cut, in a sentence; empty = it was not
	// Fault is why the answer is ours or was cut; nil = it is the upstream's, whole,
	// or the client hung up. Its text quotes nothing that the upstream sent.
	Fault error
}

// ConnInfo describes one of the two connections of an exchange. Zeros mean unknown.
type ConnInfo struct {
	Proto   string `json:"proto"`  // of the request or answer on it, as net/http names it
	Conn    uint64 `json:"conn"`   // its number among all to the upstream, or to the listeners
	Stream  uint32 `json:"stream"` // of HTTP/2
	TLS     bool   `json:"tls"`
	Reused  bool   `json:"reused"`  // it had requests before
	Address string `json:"address"` // the upstream's origin, or the listener's address ("http://127.0.0.1:9744", "unix:/x")
}
