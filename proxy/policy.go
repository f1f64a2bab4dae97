package proxy

import (
	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/problem"
)

// A Policy is what a route decides about requests by their heads alone. It is what
// 'explain' asks, too.
type Policy struct {
	Name string
	// Allow are the rules of [gate.Permit]; empty = all requests pass.
	Allow []string
	// Base is the path of the upstream's URL, percent-encoded.
	Base string
	// AnswersTokens has the token requests of clients answered here. TokenURL is the token
	// endpoint of the credential's provider; empty = unknown.
	AnswersTokens bool
	TokenURL      string
	// KeepsDownchannel has requests for AVS's downchannel answered from the one that is
	// kept.
	KeepsDownchannel bool
	// Headers are set on each request, whatever the client sent.
	Headers map[string]string
	// Strip names header fields of the client's that are not sent on, and are not
	// as trailers either.
	Strip []string
	// WebSocket lets requests become WebSocket connections (RFC 6455).
	WebSocket bool
}

// An Action is what a route does with a request.
type Action int

const (
	Forward          Action = iota // sends it to the upstream
	Refuse                         // no rule covers it
	AnswerToken                    // stands in for the token endpoint
	ShareDownchannel               // answers from the downchannel that is kept
)

// A Verdict is what a policy says about a request.
type Verdict struct {
	Action Action
	Rule   string // by which it is allowed; empty = the policy has no rules, or none was asked
	Why    string // it is refused
}

// Decision is what is done about the credential, if there is a token.
func (v Verdict) Decision() exchange.Decision {
	switch v.Action {
	case Refuse:
		return exchange.Refused
	case AnswerToken:
		return exchange.StoodIn
	case ShareDownchannel:
		return exchange.Shared
	}
	return exchange.Injected
}

// Judge says what is done with a request. Token requests are answered before the rules
// are asked.
func (p *Policy) Judge(h *exchange.Head) Verdict {
	if p.AnswersTokens && isTokenRequest(p.TokenURL, h.Method, h.Path) {
		return Verdict{Action: AnswerToken}
	}
	rule, why := gate.Permit(p.Allow, p.Base, h)
	switch {
	case why != "":
		return Verdict{Action: Refuse, Why: why}
	case p.KeepsDownchannel && h.Method == "GET" && h.Path == avs.PathDirectives:
		return Verdict{Action: ShareDownchannel, Rule: rule}
	}
	return Verdict{Rule: rule}
}

// NotListedHint says what to do about a request that no rule covers.
const NotListedHint = "change the request, or add a rule to 'allow' of the route in config.toml"

func notListed(why string) problem.Problem {
	return problem.Problem{Code: problem.NotAllowed, Title: "the request is not allowed", Detail: why, Hint: NotListedHint}
}
