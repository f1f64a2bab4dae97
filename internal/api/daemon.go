package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	if err := found.Call(ctx, http.MethodGet, "/api/status", nil, &status); err != nil || status.PID != file.PID {
		return nil, nil
	}
	return found, nil
}

func NewDaemon(file RunFile) *Daemon {
	return &Daemon{RunFile: file, client: http.Client{Transport: &http.Transport{Proxy: nil}}}
}

// CloseIdle ends the connections that wait for further calls.
func (d *Daemon) CloseIdle() { d.client.CloseIdleConnections() }

// Call asks the console and decodes what it answers into answer. body is sent as JSON; nil
// = none. The error is the console's own where it gave one.
func (d *Daemon) Call(ctx context.Context, method, path string, body, answer any) error {
	resp, err := d.Open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(answer)
}

// Ready asks whether all routes can inject their credentials now.
func (d *Daemon) Ready(ctx context.Context) (ready Readiness, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Console+"/readyz", nil)
	if err != nil {
		return ready, err
	}
	if d.Key != "" {
		req.Header.Set(KeyHeader, d.Key)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return ready, err
	}
	defer resp.Body.Close()
	return ready, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&ready)
}

// maxAnswer bounds what the console is taken to answer: a list of all exchanges is
// the longest.
const maxAnswer = 64 << 20

// Open is Call for an answer that is read as it comes. Its body is to be closed.
func (d *Daemon) Open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, d.Console+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if d.Key != "" {
		req.Header.Set(KeyHeader, d.Key)
	}
	resp, err := d.client.Do(req)
	if err != nil || resp.StatusCode < 300 {
		return resp, err
	}
	defer resp.Body.Close()
	var refusal Error
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&refusal) != nil || refusal.Message == "" {
		return nil, fmt.Errorf("the console answered %d", resp.StatusCode)
	}
	if refusal.Action == tokens.ActionRetry || refusal.Action == tokens.ActionWait {
		return nil, terminal.Unreachable(&refusal, refusal.Hint)
	}
	return nil, terminal.Failed(&refusal, refusal.Hint)
}

func ExchangePath(id uint64) string { return "/api/exchanges/" + strconv.FormatUint(id, 10) }

// Inspector is where one browser may open the inspector, once if the console has a key.
func (d *Daemon) Inspector(ctx context.Context) (page string, err error) {
	made := TicketMade{Address: d.Console + "/"}
	if d.Key != "" {
		err = d.Call(ctx, http.MethodPost, "/api/tickets", nil, &made)
	}
	return LocalhostURL(made.Address), err
}

// AwaitLogin waits for the end of a login that the console began.
func (d *Daemon) AwaitLogin(ctx context.Context, id string) (lasting bool, err error) {
	for {
		var end LoginEnded
		err := d.Call(ctx, http.MethodGet, "/api/logins/"+id, nil, &end)
		if errors.As(err, new(*url.Error)) && ctx.Err() == nil {
			return false, terminal.Failed(fmt.Errorf("the running proxy (pid %d) ended before the login did", d.PID), "start it again, or log in without it")
		}
		if err != nil {
			return false, err
		}
		if end.Over && end.Problem != nil {
			return false, &tokens.Error{Action: end.Problem.Action, Code: end.Problem.Code, Message: end.Problem.Message, Hint: end.Problem.Hint}
		}
		if end.Over {
			return end.Lasting, nil
		}
	}
}

// Deliver brings a pasted callback to the console, as the browser would have.
func (d *Daemon) Deliver(ctx context.Context, asked *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Console+asked.EscapedPath()+"?"+asked.RawQuery, nil)
	if err != nil {
		return err
	}
	req.Header.Set(PastedHeader, (&url.URL{Scheme: asked.Scheme, Host: asked.Host, Path: asked.Path, RawPath: asked.RawPath}).String())
	resp, err := d.client.Do(req)
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

// Watch returns the exchanges from now on that the filters in query show, as [ParseFilter] reads them, with the
// chunks of the one to follow; 0 = of none.
func (d *Daemon) Watch(ctx context.Context, follow uint64, query url.Values) (*EventStream, error) {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	if follow != 0 {
		query.Set("follow", strconv.FormatUint(follow, 10))
	}
	resp, err := d.Open(ctx, http.MethodGet, "/api/events?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	return &EventStream{resp.Body, lines}, nil
}

// Next returns the next event, with its Summary or Chunk if it has one. The error is
// [io.EOF] at the stream's end.
func (s *EventStream) Next() (event capture.Event, err error) {
	for s.lines.Scan() {
		field, value, _ := bytes.Cut(s.lines.Bytes(), []byte(": "))
		switch string(field) {
		case "event":
			event.Kind = capture.EventKind(value)
		case "data":
			err = decodeEvent(&event, value)
			return event, err
		}
	}
	if err := s.lines.Err(); errors.Is(err, context.Canceled) || errors.Is(err, bufio.ErrTooLong) {
		return event, err
	}
	return event, io.EOF // also where it was cut
}

func decodeEvent(event *capture.Event, data []byte) (err error) {
	switch event.Kind {
	case capture.KindExchange:
		err = json.Unmarshal(data, &event.Summary)
	case capture.KindChunk:
		err = json.Unmarshal(data, &event.Chunk)
	}
	if err != nil {
		return terminal.Failed(errors.New("unexpected response from the running avsproxy"), "check that both are the same version")
	}
	return nil
}

func (s *EventStream) Close() { s.body.Close() }
