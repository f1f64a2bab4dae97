// Package capture remembers recent exchanges within a budget of memory and
// retells them: as a list, one by one, as they happen, and as HAR. It is fed
// heads, chunks and an end, so that whatever carries a request can be recorded.
// What fields hold credentials is not kept, and what else repeats a secret is masked
// before anybody sees it. It opens no connection and no file.
package capture

import (
	"encoding/json"
	"time"
)

// A Field is one header or trailer field. Lists of them keep their order and
// duplicates. In JSON it is ["Name","value"].
type Field struct{ Name, Value string }

// MarshalJSON writes the pair.
func (f Field) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]string{f.Name, f.Value})
}

// UnmarshalJSON reads the pair.
func (f *Field) UnmarshalJSON(text []byte) error {
	var pair [2]string
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	f.Name, f.Value = pair[0], pair[1]
	return nil
}

// Options of a Recorder. The zero value is a usable one.
type Options struct {
	// Body is how many bytes of each body are kept, Total how many bytes all
	// exchanges may take, with their heads and bookkeeping. Zero means 64 KiB and
	// 32 MiB, less than zero none at all: then exchanges are forgotten as they end.
	Body, Total int64
	// Secrets returns the tokens and secrets that are live. It is asked at each
	// request's and answer's head, at most once a second besides unless
	// [Recorder.SecretsChanged], and when exchanges are looked at, and so should answer
	// from memory. It may be nil.
	Secrets func() []string
	// EventName finds what message a request posts in its multipart body as far as it
	// is known, or returns an empty text; it must not keep the body. It may be nil.
	EventName func(contentType string, body []byte) string
}

// A Request is what a client asked for, before anything was added to it.
type Request struct {
	// Began is when the request was let in, Arrived when it came, before the guard
	// looked at it; zero means unknown.
	Began, Arrived time.Time
	// Target is path and query as sent.
	Route, Method, Scheme, Host, Target, Proto string
	Client                                     Leg
	Header                                     []Field
	// ReplayOf is the exchange that this one repeats; 0 means none.
	ReplayOf uint64
}

// A Leg is one of the two connections that an exchange uses. Address is the
// upstream's origin, or the door ("http://127.0.0.1:9744", "unix:/x"). Zeros mean
// unknown; Stream is that of HTTP/2.
type Leg struct {
	Proto   string `json:"proto"`
	Conn    uint64 `json:"conn"`
	Stream  uint32 `json:"stream"`
	TLS     bool   `json:"tls"`
	Reused  bool   `json:"reused"`
	Address string `json:"address"`
}

// Facts are what is known about an exchange in its end.
type Facts struct {
	Upstream Leg
	Tries    int
	Replayed bool // sent again after the upstream did not process it or refused its token
	// Decision says what became of the credential, Credential which one it is.
	Decision, Credential string
	// TokenAge and TokenLeft are negative where they are unknown.
	TokenAge, TokenLeft time.Duration
	// Guard, Token and Connect are waits; TLS is what of Connect its handshake took.
	// FirstByte is from Began to the answer's head, Took from Began to the end; zero means
	// what the recorder saw itself.
	Guard, Token, Connect, TLS, FirstByte, Took time.Duration
	// Ended is empty for an exchange that came to its regular end, else one
	// sentence. Error is the code of an answer of our own, or empty.
	Ended, Error string
	// Sent and Written count the bytes of the bodies that left, to the upstream and
	// to the client.
	Sent, Written int64
}
