package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// An EventStream is what the console tells as it happens: server-sent events (WHATWG
// HTML, section 9.2), of which it writes each with one line of data.
type EventStream struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// maxEvent bounds one line: a chunk of a body in base64 is the longest.
const maxEvent = 1 << 20

// Watch returns the exchanges from now on, with the chunks of the one to follow; 0 =
// of none.
func (r *Daemon) Watch(ctx context.Context, follow uint64) (*EventStream, error) {
	path := "/api/events"
	if follow != 0 {
		path += "?follow=" + strconv.FormatUint(follow, 10)
	}
	resp, err := r.Open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	return &EventStream{resp.Body, lines}, nil
}

// Next returns the next event. data is good until the call after it. The error is
// [io.EOF] at the stream's end.
func (s *EventStream) Next() (kind string, data []byte, err error) {
	for s.lines.Scan() {
		field, value, _ := bytes.Cut(s.lines.Bytes(), []byte(": "))
		switch string(field) {
		case "event":
			kind = string(value)
		case "data":
			return kind, value, nil
		}
	}
	if err := s.lines.Err(); errors.Is(err, context.Canceled) || errors.Is(err, bufio.ErrTooLong) {
		return "", nil, err
	}
	return "", nil, io.EOF // also where it was cut
}

func (s *EventStream) Close() { s.body.Close() }
