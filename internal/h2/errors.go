package h2

import "fmt"

// A ConnError is a breach of the rules by the other side that ended the connection (RFC 9113
// section 5.4.1).
type ConnError struct {
	Code ErrCode
	Text string // which rule
}

// Error names the code and what is wrong.
func (e ConnError) Error() string { return fmt.Sprintf("%v: %s", e.Code, e.Text) }

// A streamError ends a stream (RFC 9113 section 5.4.2).
type streamError struct {
	id   uint32
	code ErrCode
	text string
}

// Error names the code and what is wrong.
func (e streamError) Error() string { return fmt.Sprintf("stream %d: %v: %s", e.id, e.code, e.text) }

// A ResetError says that a stream was ended before its time.
type ResetError struct {
	Code ErrCode
	// ByUs is set where the other side broke the rules, and this one ended the stream.
	ByUs bool
	// Unprocessed is set where the other side did not look at the request and will not
	// (RFC 9113 section 8.7): it may be sent again.
	Unprocessed bool
	// Err is why the connection ended; nil = it did not.
	Err error
}

// Error says how it ended.
func (e *ResetError) Error() string {
	switch {
	case e.Err != nil && e.Unprocessed:
		return "the connection ended before the request was processed: " + e.Err.Error()
	case e.Err != nil:
		return "the connection ended: " + e.Err.Error()
	case e.ByUs:
		return "the stream broke the rules of HTTP/2: " + e.Code.String()
	}
	return "the stream was reset: " + e.Code.String()
}

// Unwrap returns why the connection ended.
func (e *ResetError) Unwrap() error { return e.Err }

// A GoAwayError says that the other side ended the connection with a GOAWAY.
type GoAwayError struct{ Code ErrCode }

// Error names the code.
func (e GoAwayError) Error() string { return "GOAWAY with " + e.Code.String() }
