package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"avsproxy/internal/config"

	"github.com/spf13/cobra"
)

// besideOnly makes a command of one that is nothing without a running proxy. arg is
// the command's one argument, "" where it has none.
func (a *app) besideOnly(run func(ctx context.Context, beside *running, arg string) error) func(*cobra.Command, []string) error {
	return a.configured(config.LoadWithoutSecrets, func(ctx context.Context, conf *config.Config, arg string) error {
		beside := a.running(ctx, conf)
		if beside == nil {
			return failed(fmt.Errorf("no avsproxy serves from %s", conf.Store.Path), "run 'avsproxy serve' first, or name its configuration with --config")
		}
		defer beside.client.CloseIdleConnections()
		err := run(ctx, beside, arg)
		if err == nil || errors.As(err, new(*exitError)) {
			return err
		}
		if again := a.running(ctx, conf); again == nil || again.PID != beside.PID {
			return failed(fmt.Errorf("the running proxy (pid %d) has ended", beside.PID), "start it again, and then this")
		}
		return failed(err, "see 'avsproxy status'")
	})
}

// An eventStream is what the console tells as it happens: server-sent events (WHATWG
// HTML, section 9.2), of which it writes each with one line of data.
type eventStream struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// eventMost bounds one line: a chunk of a body in base64 is the longest.
const eventMost = 1 << 20

// watch returns the exchanges from now on, with the chunks of the one to follow; 0 =
// of none.
func (r *running) watch(ctx context.Context, follow uint64) (*eventStream, error) {
	path := "/api/events"
	if follow != 0 {
		path += "?follow=" + strconv.FormatUint(follow, 10)
	}
	resp, err := r.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, eventMost)
	return &eventStream{resp.Body, lines}, nil
}

// next returns the next event. data is good until the call after it. The error is
// [io.EOF] at the stream's end.
func (s *eventStream) next() (kind string, data []byte, err error) {
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

func (s *eventStream) close() { s.body.Close() }
