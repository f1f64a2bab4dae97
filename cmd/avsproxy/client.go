package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"avsproxy/internal/api"
	"avsproxy/tokens"
)

// A running is the proxy that runs beside this command, seen through its console.
type running struct {
	runFile
	client http.Client
}

// findRunning finds the proxy that serves from a state folder; nil = none does. A file
// left by a proxy that died is seen through: nobody answers, or somebody else. The
// error is about a file that cannot be used.
func findRunning(ctx context.Context, folder string) (*running, error) {
	file, err := findRunFile(folder)
	if file == nil {
		return nil, err
	}
	found := newRunning(*file)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var status api.Status
	if err := found.call(ctx, http.MethodGet, "/api/status", &status); err != nil || status.PID != file.PID {
		return nil, nil
	}
	return found, nil
}

func newRunning(file runFile) *running {
	return &running{runFile: file, client: http.Client{Transport: &http.Transport{Proxy: nil}}}
}

// closeIdle ends the connections that wait for further calls.
func (r *running) closeIdle() { r.client.CloseIdleConnections() }

// call asks the console and decodes what it answers into answer. The error is
// the console's own sentence where it gave one.
func (r *running) call(ctx context.Context, method, path string, answer any) error {
	resp, err := r.open(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, answerMost)).Decode(answer)
}

// answerMost bounds what the console is taken to answer: a list of all exchanges is
// the longest.
const answerMost = 64 << 20

// open is call for an answer that is read as it comes. Its body is to be closed.
func (r *running) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := r.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil || resp.StatusCode < 300 {
		return resp, err
	}
	defer resp.Body.Close()
	var trouble api.Trouble
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&trouble) != nil || trouble.Detail == "" {
		return nil, fmt.Errorf("the console answered %d", resp.StatusCode)
	}
	return nil, failed(fmt.Errorf("%s", trouble.Detail), trouble.Hint)
}

// request is one to the console, with its key where it has one.
func (r *running) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.Console+path, body)
	if err == nil && r.Key != "" {
		req.Header.Set(api.KeyHeader, r.Key)
	}
	return req, err
}

func exchangePath(id uint64) string { return "/api/exchanges/" + strconv.FormatUint(id, 10) }

// post is call with a body.
func (r *running) post(ctx context.Context, path string, value, answer any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	resp, err := r.open(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, answerMost)).Decode(answer)
}

// page is where a browser shows the exchange.
func (r *running) page(ctx context.Context, id uint64) string {
	var made api.TicketMade
	if r.Key != "" && r.post(ctx, "/api/tickets", nil, &made) == nil {
		return localhostURL(made.Address) + number(id)
	}
	return localhostURL(r.Console) + "/" + number(id)
}

func (r *running) awaitLogin(ctx context.Context, id string) (lasting bool, err error) {
	for {
		var end api.LoginEnded
		err := r.call(ctx, http.MethodGet, "/api/logins/"+id, &end)
		if errors.As(err, new(*url.Error)) && ctx.Err() == nil {
			return false, failed(fmt.Errorf("the running proxy (pid %d) ended before the login did", r.PID), "start it again, or log in without it")
		}
		if err != nil {
			return false, err
		}
		if end.Over && end.Problem != nil {
			return false, &tokens.Error{Action: end.Problem.Action, Code: end.Problem.Code, Say: end.Problem.Detail, Hint: end.Problem.Hint}
		}
		if end.Over {
			return end.Lasting, nil
		}
	}
}

// deliver brings a pasted callback to the console, as the browser would have.
func (r *running) deliver(ctx context.Context, asked *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Console+asked.EscapedPath()+"?"+asked.RawQuery, nil)
	if err != nil {
		return err
	}
	req.Header.Set(api.PastedHeader, (&url.URL{Scheme: asked.Scheme, Host: asked.Host, Path: asked.Path, RawPath: asked.RawPath}).String())
	resp, err := r.client.Do(req)
	if err != nil {
		return errors.New(withoutQuery(err))
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest {
		return tokens.ErrUnknownState
	}
	return nil
}
