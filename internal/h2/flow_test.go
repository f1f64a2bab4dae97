package h2

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A flowModel is what a client knows of all windows (RFC 9113 section 5.2), as the only one who
// changes them.
type flowModel struct {
	t       *testing.T
	session *Session
	framer  *http2.Framer
	r       *rand.Rand

	mu      sync.Mutex
	initial int64 // window of a new stream, for answers
	conn    int64 // that of the connection
	granted int64 // that we have for uploads on the connection
	streams map[uint32]*flowStream
	next    uint32
	ends    map[uint32]*flowEnd // of the server
}

type flowStream struct {
	window  int64 // for the answer
	queued  int64 // bytes of it that the server has sent
	got     int64
	granted int64 // for the upload
}

// A flowEnd takes an upload, and gives it back when it is told to.
type flowEnd struct {
	st      *Stream
	pending int // bytes that were not given back
}

func (e *flowEnd) Head(*Head, bool)      {}
func (e *flowEnd) Data(p []byte, _ bool) { e.pending += len(p) }
func (e *flowEnd) Trailer([]Field)       {}
func (e *flowEnd) Reset(*ResetError)     {}
func (m *flowModel) locked(f func()) {
	m.session.group.mu.Lock()
	defer m.session.group.mu.Unlock()
	f()
}
func (m *flowModel) accept(st *Stream, _ *Head, _ bool) {
	end := &flowEnd{st: st}
	m.ends[st.id] = end
	st.SetEnd(end)
	st.SendHead(Fields{{Name: ":status", Value: "200"}}, false)
}

// read follows what the server sends.
func (m *flowModel) read() {
	for {
		frame, err := m.framer.ReadFrame()
		if err != nil {
			return
		}
		m.mu.Lock()
		switch f := frame.(type) {
		case *http2.DataFrame:
			st, n := m.streams[f.StreamID], int64(len(f.Data()))
			if st == nil {
				break // it was reset
			}
			if n > min(st.window, m.conn) || n > maxPayload {
				m.t.Errorf("%d bytes come on stream %d, where the windows are %d and %d", n, f.StreamID, st.window, m.conn)
			}
			st.window, m.conn, st.got = st.window-n, m.conn-n, st.got+n
		case *http2.WindowUpdateFrame:
			if st := m.streams[f.StreamID]; st != nil {
				st.granted += int64(f.Increment)
			} else if f.StreamID == 0 {
				m.granted += int64(f.Increment)
			}
		}
		m.mu.Unlock()
	}
}

// any returns some stream; 0 = there is none.
func (m *flowModel) any() (id uint32, st *flowStream) {
	for range m.r.IntN(len(m.streams) + 1) {
		id = 1 + 2*m.r.Uint32N(m.next/2+1)
		if st = m.streams[id]; st != nil {
			return id, st
		}
	}
	return 0, nil
}

// step does one thing at random, and returns what.
func (m *flowModel) step() string {
	id, st := m.any()
	size := m.r.Int64N(1 + 1<<(4+m.r.IntN(15)))
	switch what := m.r.IntN(8); {
	case what == 0 && len(m.streams) < 5:
		m.streams[m.next] = &flowStream{window: m.initial, granted: streamWindow}
		m.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: m.next, BlockFragment: []byte{0x83, 0x86, 0x84, 0x41, 0x01, 'h'}, EndHeaders: true})
		m.next += 2
		return "open"
	case what == 1:
		size %= 1 << 18
		for _, st := range m.streams {
			st.window += size - m.initial
		}
		m.initial = size
		m.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(size)})
		return fmt.Sprint("initial window ", size)
	case what == 2 && size > 0:
		m.conn += size
		m.framer.WriteWindowUpdate(0, uint32(size))
		return fmt.Sprint("connection's window + ", size)
	case st == nil:
		return ""
	case what == 3 && size > 0:
		st.window += size
		m.framer.WriteWindowUpdate(id, uint32(size))
		return fmt.Sprint(id, "'s window + ", size)
	case what == 4:
		st.queued += size
		m.mu.Unlock() // what is sent at once is read meanwhile
		m.locked(func() { m.ends[id].st.SendData(make([]byte, size), false) })
		m.mu.Lock()
		return fmt.Sprint(id, " answers ", size)
	case what == 5:
		n := min(size, st.granted, m.granted)
		st.granted, m.granted = st.granted-n, m.granted-n
		m.mu.Unlock() // it is answered meanwhile
		for rest := n; rest >= 0; rest -= maxPayload {
			m.framer.WriteData(id, false, make([]byte, min(rest, maxPayload)))
		}
		m.mu.Lock()
		return fmt.Sprint(id, " uploads ", n)
	case what == 6:
		m.mu.Unlock()
		m.locked(func() {
			end := m.ends[id]
			n := min(end.pending, int(size)<<m.r.IntN(8))
			end.pending -= n
			end.st.Credit(n)
		})
		m.mu.Lock()
		return fmt.Sprint(id, " is credited")
	case what == 7 && m.r.IntN(4) == 0:
		delete(m.streams, id)
		m.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		return fmt.Sprint(id, " is reset")
	}
	return ""
}

// check compares the server with the model, when nothing is on its way.
func (m *flowModel) check(done string) {
	m.locked(func() {
		extra := 0
		for id, st := range m.streams {
			server, end := m.ends[id].st, m.ends[id]
			if rest := st.queued - st.got; rest > 0 && st.window > 0 && m.conn > 0 || rest != int64(server.queue.size) {
				m.t.Errorf("%s: %d bytes wait on stream %d, %d by the server, where the windows are %d and %d", done, rest, id, server.queue.size, st.window, m.conn)
			}
			if server.window != st.window || server.allowed != int(st.granted) || server.allowed+end.pending+server.taken != server.limit {
				m.t.Errorf("%s: stream %d: window %d, model %d; granted %d, model %d; %d pending, %d taken of %d", done, id, server.window, st.window, server.allowed, st.granted, end.pending, server.taken, server.limit)
			}
			if end.pending == 0 && server.allowed < server.limit/2 {
				m.t.Errorf("%s: stream %d may send %d of %d, and all was taken", done, id, server.allowed, server.limit)
			}
			extra += server.limit - streamWindow
		}
		if m.session.window != m.conn || m.session.allowed != m.granted || m.session.extra != extra || extra > maxServerExtra || m.granted < connWindow/2 {
			m.t.Errorf("%s: window %d, model %d; granted %d, model %d; extra %d, model %d", done, m.session.window, m.conn, m.session.allowed, m.granted, m.session.extra, extra)
		}
	})
}

// Windows are what both sides say they are, whatever order things come in: nothing is sent
// beyond them, nothing waits that may be sent, and what is taken is given back.
func TestFlowControlFollowsTheModel(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			m := &flowModel{
				t: t, framer: http2.NewFramer(far, far), r: rand.New(rand.NewPCG(seed, 0)), initial: defaultWindow, conn: defaultWindow, granted: defaultWindow,
				streams: map[uint32]*flowStream{}, next: 1, ends: map[uint32]*flowEnd{},
			}
			m.framer.ReadMetaHeaders = hpack.NewDecoder(maxTable, nil)
			m.session = new(Group).Server(near, Config{Accept: m.accept, PrefaceRead: true})
			served := make(chan struct{})
			go func() { defer close(served); _ = m.session.Serve() }()
			go m.read()
			m.framer.WriteSettings()
			for i := 0; i < 1000 && !t.Failed(); i++ {
				m.mu.Lock()
				done := m.step()
				m.mu.Unlock()
				synctest.Wait()
				m.check(fmt.Sprintf("seed %d, step %d, %s", seed, i, done))
			}
			m.session.Close()
			far.Close()
			<-served
			if held := m.session.group.Held(); held != 0 {
				t.Errorf("seed %d: %d bytes are counted behind the end", seed, held)
			}
		})
	}
}
