package avsroute

import (
	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
)

// asksDownchannel reports whether an exchange opens a downchannel, if its answer is 200.
func asksDownchannel(x *exchange.Exchange) bool {
	return x.Head.Method == "GET" && x.Head.DecodedPath() == avs.PathDirectives
}
