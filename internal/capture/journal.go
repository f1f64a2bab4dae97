package capture

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// Kinds of entries.
type entryKind byte

const (
	entryBegin entryKind = iota + 1
	entryRequestData
	entryRequestEnd
	entryWithoutBodies
	entryInterim
	entryResponse
	entryResponseData
	entryEnd
	entryRequestMessage // of a WebSocket
	entryResponseMessage
	entryGap // nothing follows up to the end of the ring
)

const (
	maxJournal = 8 << 20   // bytes
	minJournal = 128 << 10 // has room for some of the largest entries
	entryHead  = 4 + 1 + 4 + 8 + 8
	maxPiece   = 16 << 10 // of a body in an entry
	maxCarried = 1 << 20  // bytes of entries that were carried forward
	maxEntry   = minJournal / 2
)

// Flags of an exchange in the journal. None = it has ended, and nothing of it was read.
const (
	slotOpen = 1 << iota // it is under way
	slotRead             // some of its entries were read
)

// An entry is one event of an exchange. What is in it stands behind it in the ring.
type entry struct {
	kind entryKind
	slot uint32
	id   uint64
	at   time.Time
}

// A journal is a ring of entries in the order in which they came. Writing to it allocates
// nothing and waits for nobody: where the reader is behind, the oldest entries are lost. They
// are carried forward only for exchanges that are under way, or of which the reader has begun
// to read: those must not lose their end.
type journal struct {
	mu         sync.Mutex
	size       int    // that the ring may have
	ring       []byte // nil = nothing was written yet
	start, end uint64 // of what was not read
	wrote      uint64 // bytes of entries
	taken      uint64 // of these, by the reader or lost
	carried    []byte // entries that come before those
	slots      []byte // flags of the exchanges that have entries, or are under way
	free       []uint32
	c          codec  // of the entry that is written
	slot       uint32 // of its exchange
	fields     fieldWriter
	lost       uint64 // exchanges
}

// open gives a new exchange its slot.
func (j *journal) open() (slot uint32) {
	if n := len(j.free); n > 0 {
		slot, j.free = j.free[n-1], j.free[:n-1]
	} else {
		slot, j.slots = uint32(len(j.slots)), append(j.slots, 0)
	}
	j.slots[slot] = slotOpen
	return slot
}

// beginEntry begins an entry of an exchange. What goes into it is written to c, until endEntry, which
// unlocks the journal. false = the exchange has ended, and the journal is not locked.
func (j *journal) beginEntry(of *Exchange, kind entryKind) bool {
	j.mu.Lock()
	if of.done {
		j.mu.Unlock()
		return false
	}
	of.done = kind == entryEnd
	if kind == entryBegin {
		of.slot = j.open()
	}
	j.slot = of.slot
	j.c.out = appendEntryHead(j.c.out[:0], kind, of.slot, of.id)
	return true
}

// setTime gives the entry its time, where that matters.
func (j *journal) setTime(at time.Time) {
	binary.LittleEndian.PutUint64(j.c.out[entryHead-8:], uint64(at.UnixNano()))
}

// endEntry appends the entry, and what stands behind it as it is.
func (j *journal) endEntry(kind entryKind, plain []byte) {
	if len(j.c.out) > maxEntry {
		j.c.out = j.c.out[:maxEntry]
	}
	size := len(j.c.out) + len(plain)
	binary.LittleEndian.PutUint32(j.c.out, uint32(size))
	if kind == entryEnd {
		j.slots[j.slot] &^= slotOpen
	}
	room := j.reserve(size)
	j.wrote += uint64(size)
	copy(room[copy(room, j.c.out):], plain)
	j.mu.Unlock()
}

func appendEntryHead(out []byte, kind entryKind, slot uint32, id uint64) []byte {
	var head [entryHead]byte
	head[4] = byte(kind)
	binary.LittleEndian.PutUint32(head[5:], slot)
	binary.LittleEndian.PutUint64(head[9:], id)
	return append(out, head[:]...)
}

// parseEntry returns the first entry in p, what is in it, and its size.
func parseEntry(p []byte) (e entry, content []byte, size int) {
	size = int(binary.LittleEndian.Uint32(p))
	e = entry{
		kind: entryKind(p[4]), slot: binary.LittleEndian.Uint32(p[5:]), id: binary.LittleEndian.Uint64(p[9:]),
		at: time.Unix(0, int64(binary.LittleEndian.Uint64(p[17:]))),
	}
	return e, p[entryHead:size], size
}

// reserve makes room for n bytes in one piece.
func (j *journal) reserve(n int) []byte {
	for len(j.ring) < j.size && j.end+uint64(2*n)-j.start > uint64(len(j.ring)) { // twice: a gap may be as large
		j.grow()
	}
	at := int(j.end % uint64(len(j.ring)))
	if rest := len(j.ring) - at; rest < n {
		j.makeRoom(rest)
		if rest >= entryHead {
			gap := appendEntryHead(j.ring[at:at], entryGap, 0, 0)
			binary.LittleEndian.PutUint32(gap, uint32(rest))
		}
		j.end += uint64(rest)
		at = 0
	}
	j.makeRoom(n)
	j.end += uint64(n)
	return j.ring[at : at+n]
}

// grow doubles the ring, up to its size: few ever fill it.
func (j *journal) grow() {
	ring := make([]byte, min(max(2*len(j.ring), minJournal), j.size))
	base := (j.end/uint64(len(ring)) + 1) * uint64(len(ring)) // positions only grow
	n, taken := 0, j.taken
	for j.start < j.end {
		if _, whole := j.next(); whole != nil {
			n += copy(ring[n:], whole)
		}
	}
	j.ring, j.start, j.end, j.taken = ring, base, base+uint64(n), taken
}

func (j *journal) makeRoom(n int) {
	for j.end+uint64(n)-j.start > uint64(len(j.ring)) {
		e, whole := j.next()
		if whole == nil {
			continue
		}
		switch flags := j.slots[e.slot]; {
		case flags == 0:
			if e.kind == entryBegin {
				j.lost++
			}
		default:
			j.carry(e, whole)
		}
		j.release(e)
	}
}

// carry carries an entry forward. Of pieces of bodies the sizes alone are, where there are too
// many.
func (j *journal) carry(e entry, whole []byte) {
	j.slots[e.slot] |= slotRead
	isData := slices.Contains([]entryKind{entryRequestData, entryResponseData, entryRequestMessage, entryResponseMessage}, e.kind)
	if isData && len(j.carried)+len(whole) > maxCarried {
		whole = whole[:entryHead+wideNumber]
	}
	at := len(j.carried)
	j.carried = append(j.carried, whole...)
	binary.LittleEndian.PutUint32(j.carried[at:], uint32(len(whole)))
}

// next takes the oldest entry, of whose head it reads kind and slot; nil = it was a gap.
func (j *journal) next() (e entry, whole []byte) {
	at := int(j.start % uint64(len(j.ring)))
	if rest := len(j.ring) - at; rest < entryHead {
		j.start += uint64(rest)
		return entry{}, nil
	}
	p := j.ring[at:]
	size := int(binary.LittleEndian.Uint32(p))
	e.kind, e.slot = entryKind(p[4]), binary.LittleEndian.Uint32(p[5:])
	j.start += uint64(size)
	if e.kind == entryGap {
		return e, nil
	}
	j.taken += uint64(size)
	return e, p[:size]
}

// release gives the slot back with the last entry of an exchange.
func (j *journal) release(e entry) {
	if e.kind == entryEnd {
		j.slots[e.slot] = 0
		j.free = append(j.free, e.slot)
	}
}

// take appends the oldest entries to p, at least limit bytes where there are so many.
func (j *journal) take(p []byte, limit int) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	p = append(p, j.carried...)
	if j.carried = j.carried[:0]; cap(j.carried) > readMost {
		j.carried = nil
	}
	for j.start < j.end && len(p) < limit {
		e, whole := j.next()
		if whole == nil {
			continue
		}
		j.slots[e.slot] |= slotRead
		j.release(e)
		p = append(p, whole...)
	}
	return p
}

// written is how much was written so far.
func (j *journal) written() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.wrote
}

// unreadBefore reports whether something of what was written by then was not read.
func (j *journal) unreadBefore(wrote uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.taken < wrote
}

// lostSoFar is how many exchanges nobody will read.
func (j *journal) lostSoFar() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost
}
