package terminal

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"avsproxy/internal/capture"
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
	stamp  []byte      // the time of day
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
	return l.out.Write(p)
}

// add lets a line wait that text appends behind the time and the level.
func (l *lines) add(at time.Time, level string, text func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := at.Unix(); second != l.second {
		l.second, l.stamp = second, at.AppendFormat(l.stamp[:0], timeFormat)
	}
	if len(l.wait) == 0 {
		l.startTimer()
	}
	l.wait = append(text(append(append(append(append(l.wait, l.stamp...), ' '), level...), ' ')), '\n')
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

// LogExchange prints an exchange, up to 100 ms later; the level is INFO, or WARN. cause says more of why
// it went wrong; it may be empty. As JSON it has the fields of the summary.
func (v *Terminal) LogExchange(level slog.Level, s *capture.Summary, cause string) {
	if v.Level.Level() > level {
		return
	}
	if v.json {
		v.Log.LogAttrs(context.Background(), level, "request", exchangeAttrs(s, cause)...)
		return
	}
	name := levelNames[level]
	if !v.plain {
		name = paint(name, levelColors[level])
	}
	v.lines.add(s.Began.Add(time.Duration(s.TookMS*float64(time.Millisecond))), name, func(line []byte) []byte {
		line = AppendExchange(line, s, !v.plain)
		if cause != "" && cause != s.Ended {
			line = append(append(line, ": "...), cause...)
		}
		return line
	})
}

var levelNames = map[slog.Level]string{slog.LevelInfo: "INF", slog.LevelWarn: "WRN"}

var levelColors = map[slog.Level]int{slog.LevelInfo: green, slog.LevelWarn: yellow}

func exchangeAttrs(s *capture.Summary, cause string) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("method", s.Method), slog.String("host", s.Host), slog.String("target", s.Target), slog.Int("status", s.Status),
		slog.String("route", s.Route), slog.String("decision", string(s.Decision)), slog.Float64("took_ms", s.TookMS),
		slog.Int64("request_bytes", s.RequestBytes), slog.Int64("response_bytes", s.ResponseBytes), slog.String("proto", s.Proto),
	}
	if s.ID != 0 {
		attrs = append(attrs, slog.Uint64("id", s.ID))
	}
	if s.Replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	for _, wrong := range [][2]string{{"error", s.Error}, {"ended", s.Ended}, {"cause", cause}} {
		if wrong[1] != "" {
			attrs = append(attrs, slog.String(wrong[0], wrong[1]))
		}
	}
	return attrs
}

// Flush prints what waits.
func (v *Terminal) Flush() { v.lines.flush() }
