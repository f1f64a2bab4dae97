package faults

import (
	"cmp"
	"slices"
)

const (
	statuses  = "400...599"
	pageError = "access_denied|invalid_request|unauthorized_client|unsupported_response_type|invalid_scope|server_error|temporarily_unavailable"
	pairError = "InvalidValue|invalid_request|invalid_scope|unauthorized_client|servererror"
	resetCode = "NO_ERROR|PROTOCOL_ERROR|INTERNAL_ERROR|FLOW_CONTROL_ERROR|SETTINGS_TIMEOUT|STREAM_CLOSED|FRAME_SIZE_ERROR|" +
		"REFUSED_STREAM|CANCEL|COMPRESSION_ERROR|CONNECT_ERROR|ENHANCE_YOUR_CALM|INADEQUATE_SECURITY|HTTP_1_1_REQUIRED|N"
)

// Kinds returns the language's table, in the order of the manual.
func Kinds() []Kind {
	return slices.Concat(tokenKinds(), grantKinds(), refusalKinds(), gatewayKinds(), tlsKinds())
}

// tokenKinds replace or change the answer to a token call.
func tokenKinds() []Kind {
	return each(Kind{Event: TokenCall, group: "answer"},
		Kind{Name: "token-html", Does: "answers 200 with an HTML page, as a captive portal does; the grant is not spent"},
		Kind{Name: "token-empty", Does: "answers 200 with an empty body; the grant is not spent"},
		Kind{Name: "token-429", Value: "SECONDS", Optional: true, Does: "answers 429; the value is its Retry-After"},
		Kind{Name: "token-500", Does: "answers 500 with an HTML page"},
		Kind{Name: "token-503", Does: "answers 503 with an HTML page"},
		Kind{Name: "token-cut", Does: "spends the grant, and breaks off in the middle of the answer"},
		Kind{Name: "token-lost", Does: "spends the grant, and cuts the connection instead of answering"},
		Kind{Name: "token-slow", Value: "DURATION", Does: "spends the grant, and answers that much later", group: "delay"},
	)
}

// grantKinds change what happens to tokens.
func grantKinds() []Kind {
	return each(Kind{},
		Kind{Name: "expire-token", Event: TokenCheck, eventsAfter: []Event{TokenCheck, TokenIssue}, once: true, group: "expire",
			Does: "refuses all access tokens given out so far, from the next request that shows one"},
		Kind{Name: "expire-token", Value: "DURATION", Event: TokenIssue, group: "life", Does: "gives out access tokens that live that long"},
		Kind{Name: "expires-in", Value: "string|absent|0|negative|huge|N", Event: TokenIssue,
			Does: "says something else about the life of the access token: 3600 in quotes, nothing, 0, -3600, 99999999999 or N seconds"},
		Kind{Name: "omit-refresh", Event: TokenIssue, Does: "leaves the refresh token out of the answer"},
		Kind{Name: "same-refresh", Event: Renewal, group: "refresh", Does: "answers with the refresh token that came in, which is what happens without a fault too"},
		Kind{Name: "rotate-refresh", Event: Renewal, group: "refresh", Does: "gives a new refresh token, and the one that came in is spent"},
		Kind{Name: "reuse-detection", Event: Renewal, group: "refresh",
			Does: "rotates, and when a spent refresh token comes in, ends all tokens of its grant"},
	)
}

// refusalKinds are OAuth errors. They spend no grant, but a failed exchange
// invalidates its code.
func refusalKinds() []Kind {
	oauth := each(Kind{Event: TokenCall, group: "answer", Does: "answers with this error"},
		Kind{Name: "invalid_grant"}, Kind{Name: "invalid_client"}, Kind{Name: "unauthorized_client"}, Kind{Name: "invalid_request"},
		Kind{Name: "InvalidValue"}, Kind{Name: "invalid_scope"}, Kind{Name: "unsupported_grant_type"}, Kind{Name: "servererror"},
	)
	polls := each(Kind{Event: Poll, group: "answer"},
		Kind{Name: "authorization_pending", Value: "N", Optional: true, valueIsCount: true, Does: "answers so, whatever the user did; the value is the number of polls"},
		Kind{Name: "slow_down", Does: "answers so, however slow the poll was"},
		Kind{Name: "invalid_code_pair", Does: "answers so, as if the pair had expired"},
	)
	return slices.Concat(oauth, polls, each(Kind{group: "answer"},
		Kind{Name: "access_denied", Event: Consent, Does: "decides as if the user had pressed Cancel"},
		Kind{Name: "authorize", Value: pageError, Event: Consent, Does: "redirects from the authorize page with this error"},
		Kind{Name: "codepair", Value: pairError, Event: PairCall, Does: "refuses a code pair with this error"},
	))
}

// gatewayKinds change the answers and connections of AVS.
func gatewayKinds() []Kind {
	return each(Kind{Event: Request},
		Kind{Name: statuses, Value: "SECONDS", Optional: true, group: "answer", Does: "answers with this status; the value is its Retry-After"},
		Kind{Name: "rst", Value: resetCode, Optional: true, group: "answer", Does: "resets the stream (RST_STREAM), without a value with INTERNAL_ERROR"},
		Kind{Name: "cut-body", Value: "BYTES", Optional: true, Does: "cuts the connection after so many bytes of the answer's body, without a value in its middle"},
		Kind{Name: "slow-headers", Value: "DURATION", Does: "waits that long before the answer's headers"},
		Kind{Name: "early-hints", Value: "N", Optional: true, Does: "sends that many 103 answers first, without a value a few"},
		Kind{Name: "continue", Value: "N", Optional: true, Does: "sends that many 100 answers first, without a value a few"},
		Kind{Name: "trailers", Does: "ends the answer with trailers"},
		Kind{Name: "huge-headers", Value: "BYTES", Optional: true, Does: "answers with a header field of that size, without a value of one beyond what clients take"},
		Kind{Name: "goaway", Value: "drop", Optional: true, eventsAfter: []Event{Connection}, Does: "ends the connection (GOAWAY); streams in flight finish, with =drop they are lost"},
		Kind{Name: "stall-reads", eventsAfter: []Event{Connection}, Does: "stops reading from the connection"},
		Kind{Name: "stall-writes", eventsAfter: []Event{Connection}, Does: "stops writing to the connection"},
	)
}

// tlsKinds replace the certificate.
func tlsKinds() []Kind {
	return each(Kind{Event: Handshake, group: "certificate"},
		Kind{Name: "tls-wrong-name", Does: "shows a certificate for another name"},
		Kind{Name: "tls-expired", Does: "shows a certificate that has expired"},
	)
}

// each fills in what all the kinds have in common.
func each(common Kind, kinds ...Kind) []Kind {
	for i := range kinds {
		k := &kinds[i]
		k.Event = cmp.Or(k.Event, common.Event)
		k.Does = cmp.Or(k.Does, common.Does)
		k.group = cmp.Or(k.group, common.group, k.Name)
	}
	return kinds
}
