// Package h1 speaks HTTP/1.0 and HTTP/1.1 (RFC 9112) as the framing of a session of package
// h2: a request and its answer are a stream there, which can be joined to one of HTTP/2.
//
// What can be read in two ways is refused and never repaired: another program on the way may
// read it in the other one.
package h1
