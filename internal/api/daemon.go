package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// A Daemon is the running "avsproxy serve", reached through its console.
type Daemon struct {
	RunFile
	client http.Client
}

// FindDaemon finds the proxy that serves from a state folder; nil = none does. A file that
// a killed proxy left is ignored: its address does not answer with its pid. The error
// is about a file that cannot be used.
func FindDaemon(ctx context.Context, folder string) (*Daemon, error) {
	file, err := findRunFile(folder)
	if file == nil {
		return nil, err
	}
	found := NewDaemon(*file)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var status Status
	if err := found.Call(ctx, http.MethodGet, "/api/status", &status); err != nil || status.PID != file.PID {
		return nil, nil
	}
	return found, nil
}

func NewDaemon(file RunFile) *Daemon {
	return &Daemon{RunFile: file, client: http.Client{Transport: &http.Transport{Proxy: nil}}}
}

// CloseIdle ends the connections that wait for further calls.
func (r *Daemon) CloseIdle() { r.client.CloseIdleConnections() }

// Call asks the console and decodes what it answers into answer. The error is
// the console's own sentence where it gave one.
func (r *Daemon) Call(ctx context.Context, method, path string, answer any) error {
	return r.exchange(ctx, method, path, nil, answer)
}

// Post is Call with a value for the body.
func (r *Daemon) Post(ctx context.Context, path string, value, answer any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return r.exchange(ctx, http.MethodPost, path, bytes.NewReader(body), answer)
}

func (r *Daemon) exchange(ctx context.Context, method, path string, body io.Reader, answer any) error {
	resp, err := r.Open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(answer)
}

// maxAnswer bounds what the console is taken to answer: a list of all exchanges is
// the longest.
const maxAnswer = 64 << 20

// Open is call for an answer that is read as it comes. Its body is to be closed.
func (r *Daemon) Open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := r.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil || resp.StatusCode < 300 {
		return resp, err
	}
	defer resp.Body.Close()
	var trouble Error
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&trouble) != nil || trouble.Detail == "" {
		return nil, fmt.Errorf("the console answered %d", resp.StatusCode)
	}
	return nil, terminal.Failed(fmt.Errorf("%s", trouble.Detail), trouble.Hint)
}

// request is one to the console, with its key where it has one.
func (r *Daemon) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.Console+path, body)
	if err == nil && r.Key != "" {
		req.Header.Set(KeyHeader, r.Key)
	}
	return req, err
}

func ExchangePath(id uint64) string { return "/api/exchanges/" + strconv.FormatUint(id, 10) }

// Page is where a browser shows the exchange.
func (r *Daemon) Page(ctx context.Context, id uint64) string {
	number := "#" + strconv.FormatUint(id, 10)
	var made TicketMade
	if r.Key != "" && r.Post(ctx, "/api/tickets", nil, &made) == nil {
		return LocalhostURL(made.Address) + number
	}
	return LocalhostURL(r.Console) + "/" + number
}

func (r *Daemon) AwaitLogin(ctx context.Context, id string) (lasting bool, err error) {
	for {
		var end LoginEnded
		err := r.Call(ctx, http.MethodGet, "/api/logins/"+id, &end)
		if errors.As(err, new(*url.Error)) && ctx.Err() == nil {
			return false, terminal.Failed(fmt.Errorf("the running proxy (pid %d) ended before the login did", r.PID), "start it again, or log in without it")
		}
		if err != nil {
			return false, err
		}
		if end.Over && end.Problem != nil {
			return false, &tokens.Error{Action: end.Problem.Action, Code: end.Problem.Code, Message: end.Problem.Detail, Hint: end.Problem.Hint}
		}
		if end.Over {
			return end.Lasting, nil
		}
	}
}

// Deliver brings a pasted callback to the console, as the browser would have.
func (r *Daemon) Deliver(ctx context.Context, asked *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Console+asked.EscapedPath()+"?"+asked.RawQuery, nil)
	if err != nil {
		return err
	}
	req.Header.Set(PastedHeader, (&url.URL{Scheme: asked.Scheme, Host: asked.Host, Path: asked.Path, RawPath: asked.RawPath}).String())
	resp, err := r.client.Do(req)
	if err != nil {
		return errors.New(WithoutQuery(err))
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest {
		return tokens.ErrUnknownState
	}
	return nil
}

// LocalhostURL is the friendlier form of a loopback address.
func LocalhostURL(address string) string {
	for _, ip := range []string{"127.0.0.1", "[::1]", "0.0.0.0", "[::]"} {
		address = strings.Replace(address, "http://"+ip+":", "http://localhost:", 1)
	}
	return address
}

func WithCredential(path, name string) string {
	if name == "" {
		return path
	}
	return path + "?" + url.Values{"credential": {name}}.Encode()
}

// WithoutQuery leaves out the URL that net/http puts into its errors: its query
// may hold a code.
func WithoutQuery(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err.Error()
	}
	return err.Error()
}

// An EventStream is the console's stream of server-sent events (WHATWG
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
func (s *EventStream) Next() (kind capture.EventKind, data []byte, err error) {
	for s.lines.Scan() {
		field, value, _ := bytes.Cut(s.lines.Bytes(), []byte(": "))
		switch string(field) {
		case "event":
			kind = capture.EventKind(value)
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
