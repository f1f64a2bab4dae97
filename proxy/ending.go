package proxy

import (
	"errors"

	"golang.org/x/net/http2"

	"avsproxy/internal/exchange"
	"avsproxy/tokens"
)

// How exchanges end that do not end well, in words for people.
const (
	clientHungUp  = "the client hung up"
	upstreamLeft  = "the upstream ended the connection (GOAWAY)"
	upstreamLost  = "the upstream's connection was lost"
	answerBroken  = "the upstream's answer broke off"
	answerIsShort = "the answer was cut"
)

// ending says how an exchange ended; "" = well, or with a whole answer of ours whose
// cause says nothing about the upstream.
func ending(e *exchange.Facts, whole, clientGone bool) string {
	why := upstreamEnding(e.Fault)
	switch {
	case whole && why == answerBroken:
		return ""
	case e.Fault != nil && e.Decision == exchange.Shared && !whole:
		return e.Fault.Error()
	case whole || why != "":
		return why
	case clientGone || e.Status == statusClientGone || e.Decision == exchange.Shared:
		return clientHungUp
	}
	return answerIsShort
}

// upstreamEnding says what an error tells about the upstream; "" = there was none.
func upstreamEnding(err error) string {
	var reset http2.StreamError
	switch {
	case err == nil, errors.As(err, new(connectError)), errors.As(err, new(*tokens.Error)): // nothing was sent
		return ""
	case errors.As(err, &reset):
		return "the upstream reset its stream (" + reset.Code.String() + ")"
	case hasAny(err, "GOAWAY"):
		return upstreamLeft
	case isLost(err):
		return upstreamLost
	}
	return answerBroken
}
