package capture

import (
	"time"
	"unsafe"
)

// marksMost bounds the marks of a body, and so their memory: 8 KiB.
const marksMost = 512

// apart is how much later than a mark the next one is made. What comes sooner
// counts as come with it.
const apart = time.Millisecond

// A Mark says when the bytes of a body came that stand at Offset and behind it, up
// to the next mark. At is from the exchange's begin; negative means unknown.
type Mark struct {
	Offset int64
	At     time.Duration
}

// mark notes the time before bytes of a multipart body are kept: each of its parts
// is a message of its own, which may come an hour after the one before. Of what
// travels packed it cannot be told where a part begins.
func (e *Exchange) mark(s *side) {
	b := &s.body
	n := len(b.marks)
	if n == marksMost || s.coding != "" || !isMultipart(s.contentType) {
		return
	}
	at := time.Since(e.ask.Began)
	if n > 0 && at-b.marks[n-1].At < apart {
		return
	}
	if n == marksMost-1 {
		at = -1
	}
	before := costOfMarks(b.marks)
	b.marks = append(b.marks, Mark{Offset: int64(b.kept.size), At: at})
	e.spend(costOfMarks(b.marks) - before)
}

func costOfMarks(marks []Mark) int { return cap(marks) * int(unsafe.Sizeof(Mark{})) }
