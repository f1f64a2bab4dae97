package h2

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"strconv"
)

// finish ends the answer when the handler has returned, or else resets the stream.
func (w *answer) finish(returned bool) {
	if w.hijacked {
		return
	}
	if returned && w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.taken && returned {
		w.locked(w.endTaken)
		return
	}
	late := false
	w.locked(func() { late = w.expired() })
	if !returned || late || w.left > 0 && !w.head && w.hasBody() {
		w.abort()
		return
	}
	trailer := w.trailerFields()
	if !w.sentHead && len(trailer) == 0 && w.hasBody() && w.left < 0 && (!w.head || len(w.buffer) > 0 && w.unsent == len(w.buffer)) {
		w.sent.Set("Content-Length", strconv.Itoa(len(w.buffer)))
	}
	last := w.head || !w.hasBody() || len(w.buffer) == 0 && len(trailer) == 0
	w.sendHead(last && !w.sentHead)
	w.locked(func() {
		if !w.head && w.hasBody() {
			w.st.SendData(w.buffer, len(trailer) == 0)
			if len(trailer) > 0 {
				w.st.SendTrailer(trailer)
			}
		} else {
			w.st.SendData(nil, true)
		}
		w.body.closeLocked()
		if w.body.err == nil {
			w.st.Linger()
		}
	})
}

// whole reports whether all of the request has come.
func (w *answer) whole() (whole bool) {
	w.locked(func() { whole = w.body.err == io.EOF })
	return whole
}

// endTaken ends a stream that was taken over. Whoever writes to it still must not wait.
func (w *answer) endTaken() {
	w.st.SendData(nil, true)
	w.body.closeLocked()
	if w.broken == nil {
		w.broken = net.ErrClosed
	}
	w.drained.Broadcast()
	if w.body.err == nil {
		w.st.Linger()
	}
}

func (w *answer) abort() {
	w.locked(func() {
		w.body.closeLocked()
		w.st.Reset(cmp.Or(w.code, InternalError))
	})
}
