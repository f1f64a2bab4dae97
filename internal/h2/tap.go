package h2

// A Tap hears what passes on a [Relay], and says in which form it goes on. Its methods are
// called with the group's lock held, must not wait, and must not keep what they are given
// but for its texts.
type Tap interface {
	// RequestData gets a piece of the request's body.
	RequestData(p []byte)
	// RequestEnd comes behind the last piece. It returns the trailer that goes on.
	RequestEnd(trailer Fields) Fields
	// RequestReset says that the client gave up before that.
	RequestReset(err *ResetError)
	// RequestBroken says that the rest of the request cannot be read, and its answer has not
	// begun. It hands the relay over.
	RequestBroken(err *ResetError)
	// Interim returns the fields of a 1xx that goes on.
	Interim(h *Head) Fields
	// Answer returns the fields of the final head that goes on. false = the tap has
	// handed the relay over ([Relay.HandOver]).
	Answer(h *Head, fin bool) (Fields, bool)
	// AnswerData gets a piece of the answer's body.
	AnswerData(p []byte)
	// AnswerEnd comes behind the last piece. It returns the trailer that goes on.
	AnswerEnd(trailer Fields) Fields
	// Failed says that the request ended before the final head of its answer. It hands
	// the relay over.
	Failed(err *ResetError)
	// Ended says that nothing more comes: all of the answer was sent (nil), the
	// upstream cut it, or, where clientGone is set, the client did.
	Ended(err *ResetError, clientGone bool)
}

// A Reporter tells of something that has ended. Report may wait. Release is called behind it,
// with the group's lock held.
type Reporter interface {
	Report()
	Release()
}
