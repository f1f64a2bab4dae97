// Package wire looks at the frames of HTTP/2 connections (RFC 9113) that net/http
// speaks, and adds to them what net/http has no words for: a PING when it is
// wanted, the code with which a stream is reset, the numbers of streams, and where
// one DATA frame ends and the next begins. The protocol itself remains net/http's.
package wire
