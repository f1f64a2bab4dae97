package h2

// A relayedRequest is what passes to the upstream.
type relayedRequest Relay

// Head implements [End]; no head comes behind a request's.
func (r *relayedRequest) Head(*Head, bool) {}

// Data implements [End]. Behind a whole answer nobody needs more of the request.
func (r *relayedRequest) Data(p []byte, fin bool) {
	r.tap.RequestData(p)
	(*Relay)(r).keep(p)
	if r.whole = fin; fin {
		r.tap.RequestEnd(nil)
	}
	switch {
	case r.out == nil && r.lost: // padding has made its window larger
		r.in.Reset(EnhanceYourCalm)
		(*Relay)(r).end(nil, true)
	case r.out == nil:
	case r.answered || r.out.gone:
		r.in.Credit(len(p))
	default:
		r.out.SendData(p, fin)
	}
}

// Trailer implements [End].
func (r *relayedRequest) Trailer(fields []Field) {
	r.whole = true
	r.trailer = append(Fields{}, r.tap.RequestEnd(fields)...)
	if r.out != nil {
		r.out.sendEndWith(r.trailer)
	}
}

// Reset implements [End].
func (r *relayedRequest) Reset(err *ResetError) {
	if !r.whole {
		r.tap.RequestReset(err)
	}
	if r.out != nil {
		r.out.Reset(passedCode(err, Cancel))
	}
	(*Relay)(r).end(nil, true)
}

// Broken implements answering.
func (r *relayedRequest) Broken(err *ResetError) {
	r.whole = true
	r.tap.RequestReset(err)
	if r.out != nil && !r.out.gone {
		r.out.Reset(Cancel)
	}
	switch {
	case r.over:
	case r.headed:
		r.in.Reset(ProtocolError)
		(*Relay)(r).end(nil, true)
	default:
		r.tap.RequestBroken(err)
	}
}

// Credit implements [Source] of the stream to the upstream.
func (r *relayedRequest) Credit(n int) {
	r.sentOn += n
	r.in.Credit(n)
}

// keep copies what may have to be sent again. What waits for the start fits: the window of

// A relayedAnswer is what passes to the client.
type relayedAnswer Relay

// Head implements [End].
func (r *relayedAnswer) Head(h *Head, fin bool) {
	if h.Status < 200 {
		if len(r.in.s.out) <= maxOut { // else the client does not read, and can do without
			r.in.SendHead(r.tap.Interim(h), false)
		}
		return
	}
	fields, pass := r.tap.Answer(h, fin)
	if !pass {
		return
	}
	r.headed = true
	(*Relay)(r).forget()
	r.in.SendHead(fields, fin)
	if fin {
		r.tap.AnswerEnd(nil)
		(*Relay)(r).answerEnded()
	}
}

// Data implements [End].
func (r *relayedAnswer) Data(p []byte, fin bool) {
	r.tap.AnswerData(p)
	if fin {
		r.tap.AnswerEnd(nil)
	}
	r.in.SendData(p, fin)
	if fin {
		(*Relay)(r).answerEnded()
	}
}

// Trailer implements [End].
func (r *relayedAnswer) Trailer(fields []Field) {
	r.in.sendEndWith(r.tap.AnswerEnd(fields))
	(*Relay)(r).answerEnded()
}

// Reset implements [End]. What has come of an answer goes out before its reset.
func (r *relayedAnswer) Reset(err *ResetError) {
	switch {
	case r.over || r.answered:
	case !r.headed:
		r.tap.Failed(err)
	default:
		r.in.SetEnd(discard{r.in})
		r.in.resetBehind(passedCode(err, InternalError))
		(*Relay)(r).end(err, false)
	}
}

// Credit implements [Source] of the stream to the client.
func (r *relayedAnswer) Credit(n int) {
	r.out.Credit(n)
	(*Relay)(r).endIfSent()
}
