package proxy

import (
	"errors"

	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// How exchanges end that do not end well, in words for people.
const (
	clientHungUp  = "the client hung up"
	answerIsShort = "the answer was cut"
)

// ending says how an exchange ended; "" = well, or with a whole answer of ours whose
// cause says nothing about the upstream.
func ending(e *exchange.Facts, whole, clientGone bool) string {
	why := ""
	if e.Fault != nil && !errors.As(e.Fault, new(*tokens.Error)) { // then nothing was sent
		why = upstream.EndOf(e.Fault)
	}
	switch {
	case whole && why == upstream.AnswerBroken:
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
