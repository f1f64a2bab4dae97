package terminal

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	maxLineDelay = 100 * time.Millisecond
	maxLines     = 32 << 10 // bytes that wait
)

// lines is a writer before which lines may wait for a moment, so that many of them are one
// write. What is written otherwise comes behind them.
type lines struct {
	out io.Writer

	mu     sync.Mutex
	wait   []byte
	timer  *time.Timer // flushes; nil = none was needed yet
	second int64       // of stamp
	stamp  []byte
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
	return l.out.Write(p)
}

// add lets a line wait that text appends behind the time.
func (l *lines) add(at time.Time, text func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := at.Unix(); second != l.second {
		l.second, l.stamp = second, append(at.AppendFormat(l.stamp[:0], timeFormat), " INF "...)
	}
	if len(l.wait) == 0 {
		l.startTimer()
	}
	l.wait = append(text(append(l.wait, l.stamp...)), '\n')
	if len(l.wait) > maxLines {
		l.flushLocked()
	}
}

func (l *lines) startTimer() {
	if l.timer == nil {
		l.timer = time.AfterFunc(maxLineDelay, l.flush)
		return
	}
	l.timer.Reset(maxLineDelay)
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

func (l *lines) flushLocked() {
	if len(l.wait) > 0 {
		_, _ = l.out.Write(l.wait) // who does not read its log has none
		l.wait = l.wait[:0]
	}
}

// LogLine prints a line of the level INFO as Log does, with the time at, but up to 100 ms
// later: text appends the message and its attributes. false = the line is one for Log, since it has colors or is JSON.
func (v *Terminal) LogLine(at time.Time, text func([]byte) []byte) bool {
	if !v.plain || v.json {
		return false
	}
	if v.Level.Level() <= slog.LevelInfo {
		v.lines.add(at, text)
	}
	return true
}

// Flush prints what waits.
func (v *Terminal) Flush() { v.lines.flush() }
