package exchange

import (
	"context"
	"sync"
	"time"

	"avsproxy/internal/websocket"
)

// An Exchange is one request and its answer, while they are under way. It is passed on
// as an argument. Only Note, Facts and the Recorder may be used by several goroutines at
// once.
type Exchange struct {
	Conn     *Conn
	Head     *Head
	Recorder Recorder // nil = it is not recorded
	// HeadCache is shared by exchanges whose heads are the same but for their paths and numbers;
	// nil = none are known.
	HeadCache *HeadCache
	// Continue is called before the request is sent, when nothing is waited for any more;
	// nil = nobody waits for that.
	Continue func()
	// Draining is called when the connection that the request went over takes no more
	// requests, while the answer goes on; nil = nobody asks.
	Draining func()

	mu    sync.Mutex
	facts Facts
}

// A HeadCache has what need not be made anew for a head that comes again. Only who begins
// exchanges of one connection uses it, one after the other.
type HeadCache struct {
	Recorded []byte // the form that the recorder has of it; nil = none yet
	Timed    bool   // it matters when the pieces of the body come
}

// New returns an exchange that has just arrived. conn is nil for a request of the
// proxy's own.
func New(conn *Conn, head *Head) *Exchange {
	x := new(Exchange)
	x.Init(conn, head, time.Now())
	return x
}

// Init makes of the zero value what New returns.
func (x *Exchange) Init(conn *Conn, head *Head, now time.Time) {
	x.Conn, x.Head = conn, head
	x.facts = Facts{Arrived: now, TokenAge: -1, TokenLeft: -1}
}

// Note calls f to change the facts. f must not wait.
func (x *Exchange) Note(f func(*Facts)) {
	x.mu.Lock()
	f(&x.facts)
	x.mu.Unlock()
}

// Facts returns what is known so far.
func (x *Exchange) Facts() Facts {
	x.mu.Lock()
	facts := x.facts
	x.mu.Unlock()
	return facts
}

// SendContinue lets the client go on: nothing more is in the way of its request here.
func (x *Exchange) SendContinue() {
	if x.Continue != nil {
		x.Continue()
	}
}

// Decide notes what is done about the credential.
func (x *Exchange) Decide(decision Decision) {
	x.Note(func(f *Facts) { f.Decision = decision })
}

// A FieldList has fields in their order. Nil = there are none.
type FieldList interface {
	// Each calls yield for each field, name and value, until that returns false. It is
	// an [iter.Seq2].
	Each(yield func(name, value string) bool)
}

// A Recorder takes one exchange down while it goes on. Its methods must not wait, and
// must keep neither the bytes nor the fields that they are given. Requests and answers
// overlap, so they are called by several goroutines at once; the body of a request may
// even be read on after the End.
type Recorder interface {
	RequestData(p []byte)
	// RequestEnd says that the body has ended: nil = it is whole. A nil trailer is none.
	RequestEnd(trailer FieldList, err error)
	// WithoutBodies says that the bodies hold secrets of the client's. It comes before
	// either body does.
	WithoutBodies()
	Interim(status int, fields FieldList)
	// Response tells the head of the answer, with what is known so far.
	Response(soFar Facts, fields FieldList)
	// ResponseData comes before the client has the bytes. What follows a 101 does not come.
	ResponseData(p []byte)
	// Message comes for what is said on a WebSocket, behind its 101.
	Message(fromClient bool, m websocket.Message)
	End(facts Facts, trailer FieldList)
}

// A Stage is a rule about some requests of a route. It is asked about each exchange before
// that gets its credential.
type Stage interface {
	// Concerns reports whether Follow may return a follower, or wait.
	Concerns(x *Exchange) bool
	// Follow returns who follows the exchange; nil = nobody. It may wait, until ctx ends,
	// whose error it then returns.
	Follow(ctx context.Context, x *Exchange) (Follower, error)
}

// A Follower is fed an answer as a [Recorder] is, by one goroutine. It must not wait, and
// must not keep what it is given.
type Follower interface {
	// Head comes once, with the head of the final answer. It may change the fields.
	Head(status int, fields Fields)
	// Data gets the body.
	Data(p []byte)
	// End comes once, also without a Head: err is why there is none.
	End(err error)
}
