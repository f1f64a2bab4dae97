package capture

import (
	"time"
	"unsafe"
)

// maxArrivals bounds the arrivals of a body, and so their memory: 8 KiB.
const maxArrivals = 512

// minInterval is the shortest time between two arrivals. Bytes that come sooner count as
// part of the earlier one.
const minInterval = time.Millisecond

// An Arrival says when the bytes of a body came that begin at Offset and end at the next
// arrival. At is measured from the begin of the exchange; negative means unknown.
type Arrival struct {
	Offset int64
	At     time.Duration
}

// noteArrival notes the time before bytes of a body of messages are kept: each may come an hour
// after the one before. In a coded body the begin of a message is unknown.
func (e *recording) noteArrival(s *side) {
	b := &s.body
	n := len(b.arrivals)
	if n == maxArrivals || s.coding != "" || !isTimed(s.contentType) {
		return
	}
	at := e.at.Sub(e.head.Began)
	if n > 0 && at-b.arrivals[n-1].At < minInterval {
		return
	}
	if n == maxArrivals-1 {
		at = -1
	}
	before := costOfArrivals(b.arrivals)
	b.arrivals = append(b.arrivals, Arrival{Offset: int64(b.kept.size), At: at})
	e.spend(costOfArrivals(b.arrivals) - before)
}

func costOfArrivals(arrivals []Arrival) int { return cap(arrivals) * int(unsafe.Sizeof(Arrival{})) }
