// Package capture records recent exchanges in a bounded amount of memory and shows them:
// as a list, one by one, live, and as HAR. Callers feed it heads, chunks and an end, so
// it works with any HTTP implementation. It does not keep the values of fields that hold
// credentials, and masks all other secrets before anybody sees them. It opens no
// connection and no file.
package capture

import (
	"time"

	"avsproxy/internal/exchange"
)

// Options of a Recorder. The zero value is valid.
type Options struct {
	// Body is how many bytes of each body are kept. Total is how much memory all
	// exchanges may use. Zero means 64 KiB and 32 MiB, a negative value none: then
	// exchanges are evicted when they end.
	Body, Total int64
	// Secrets returns the live tokens and secrets. It is called for each head that is read
	// from the journal, when an exchange is shown, and at most once a second otherwise unless
	// [Recorder.SecretsChanged] is, so it should answer from memory. It may be nil.
	Secrets func() []string
	// EventName returns the name of the event in a multipart request body, which may be
	// incomplete, or "". It must not keep the body. It may be nil.
	EventName func(contentType string, body []byte) string
}

// What the proxy asks for by itself. Of these calls times, address, status and outcome are recorded, and
// neither fields nor bodies.
const (
	OwnLogin       = "login"       // a code is exchanged for a grant, or asked for
	OwnRenewal     = "renewal"     // of a token
	OwnProvider    = "provider"    // other calls to a credential's provider, as of discovery
	OwnDownchannel = "downchannel" // the one that a route keeps
	OwnSynchronize = "synchronize" // the event that follows a new downchannel
	OwnProbe       = "probe"       // the route's
)

// A Request is the head of a client's request, before the proxy changes it.
type Request struct {
	// Began is when the request was admitted, Arrived when it was received; zero means
	// unknown.
	Began, Arrived time.Time
	// Target is path and query as sent.
	Route, Method, Scheme, Host, Target, Proto string
	Client                                     exchange.ConnInfo
	Header                                     []Field
	// NoBody = the request ends with its head: nobody calls RequestEnd.
	NoBody bool
	// Own says what the proxy does by itself with it, such as [OwnRenewal]; empty = a client sent it.
	Own string
	// ReplayOf is the ID of the exchange that this one repeats; 0 means none.
	ReplayOf uint64

	methodMasked, targetMasked, targetCut bool
}
