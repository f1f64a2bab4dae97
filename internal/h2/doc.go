// Package h2 speaks HTTP/2 (RFC 9113), either side of it. A [Session] is one connection, a
// [Stream] one request and its answer on it. What comes in on a stream goes to its [End]:
// another stream, or a goroutine that speaks net/http. The package knows no route and no
// token, and of HTTP only what RFC 9113 says.
//
// All sessions of a [Group] share one lock. It is held while a batch of frames is
// processed, and never while something is read or written. Each method of an End is called
// with it held, and so must not wait.
package h2
