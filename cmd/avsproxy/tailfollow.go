package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
)

// lasts reports whether an exchange that has its answer's head will be open for long,
// as far as that can be seen.
func lasts(s capture.Summary) bool {
	return s.Status == http.StatusSwitchingProtocols || (s.Method == http.MethodConnect && s.Status != 0) ||
		isDownchannel(s) || (s.Status == http.StatusOK && strings.HasPrefix(s.ContentType, "text/event-stream"))
}

func isDownchannel(s capture.Summary) bool {
	path, _, _ := strings.Cut(s.Target, "?")
	return s.Status == http.StatusOK && s.Method == http.MethodGet && strings.HasSuffix(path, avs.PathDirectives)
}

// directives prints those of a downchannel as they pass, until it ends; where the
// channel was open before us, only those from now on. What cannot be had is no
// failure of the tail.
func (t *tail) directives(ctx context.Context, s capture.Summary, before bool) {
	select {
	case t.places <- struct{}{}:
	default:
		return // as many are followed as may be
	}
	t.followers.Go(func() {
		defer func() { <-t.places }()
		silent := before
		scanner := avs.NewDirectiveScanner(s.ContentType, func(p avs.ReceivedDirective) {
			if !silent {
				_ = t.say(t.lines.directive(s.ID, time.Now(), p.Header)) // the tail finds out by itself that nobody reads
			}
		})
		if scanner == nil {
			return
		}
		events, err := t.beside.watch(ctx, s.ID)
		if err != nil {
			return
		}
		defer events.close()
		seen := t.kept(ctx, s.ID, scanner)
		silent = false
		for {
			kind, data, err := events.next()
			if err != nil || !scan(scanner, kind, data, s.ID, seen) {
				return
			}
		}
	})
}

// kept scans what was captured before the events began, and returns how much.
func (t *tail) kept(ctx context.Context, id uint64, scanner io.Writer) int64 {
	resp, err := t.beside.open(ctx, http.MethodGet, exchangePath(id)+"/response/body", nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n, _ := io.Copy(scanner, resp.Body)
	return n
}

// scan passes on what an event says of the downchannel id past the bytes that were
// seen. It reports whether more may come.
func scan(scanner io.Writer, kind string, data []byte, id uint64, seen int64) bool {
	switch kind {
	case capture.KindChunk:
		var chunk capture.Chunk
		if json.Unmarshal(data, &chunk) != nil || chunk.ID != id || chunk.Side != "response" {
			return true
		}
		known := min(max(seen-chunk.Offset, 0), int64(len(chunk.Bytes)))
		_, _ = scanner.Write(chunk.Bytes[known:]) // takes everything
	case capture.KindExchange:
		var s capture.Summary
		return json.Unmarshal(data, &s) != nil || s.ID != id || s.State != "done"
	}
	return true
}
