package netconn

import (
	"net"
	"sync"
)

// A Queue has the connections that a [net.Listener] without a socket of its own
// accepts.
type Queue struct {
	results chan result
	done    chan struct{}
	once    sync.Once
}

// A result is one of Accept.
type result struct {
	conn net.Conn
	err  error
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{results: make(chan result), done: make(chan struct{})} }

// Put waits until conn is accepted. If the queue is closed first, it closes conn and
// returns false.
func (q *Queue) Put(conn net.Conn) bool {
	accepted := q.put(result{conn: conn})
	if !accepted {
		conn.Close()
	}
	return accepted
}

// Fail waits until Accept has returned err; false: the queue was closed first.
func (q *Queue) Fail(err error) bool { return q.put(result{err: err}) }

func (q *Queue) put(r result) bool {
	select {
	case q.results <- r:
		return true
	case <-q.done:
		return false
	}
}

// Accept is that of [net.Listener].
func (q *Queue) Accept() (net.Conn, error) {
	select {
	case <-q.done: // the second select would choose at random between this and a connection
		return nil, net.ErrClosed
	default:
	}
	select {
	case r := <-q.results:
		return r.conn, r.err
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Done is closed when the queue is.
func (q *Queue) Done() <-chan struct{} { return q.done }

// Close is that of [net.Listener]. Only the first call returns nil.
func (q *Queue) Close() error {
	err := net.ErrClosed
	q.once.Do(func() {
		close(q.done)
		err = nil
	})
	return err
}
