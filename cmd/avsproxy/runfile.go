package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/internal/durable"
)

// A runFile is what a running "serve" leaves in the state folder for the other
// commands to find it by.
type runFile struct {
	PID     int      `json:"pid"`
	Proxy   []string `json:"proxy"`
	Console string   `json:"console"`
	Key     string   `json:"console_key,omitempty"` // see [console.Console.Key]
	Sandbox *stand   `json:"sandbox,omitempty"`
}

const (
	runFileName = "run.json"
	runFileMost = 1 << 20
)

func runFilePath(conf *config.Config) string { return filepath.Join(conf.Store.Path, runFileName) }

func (r runFile) write(conf *config.Config) error {
	if err := durable.MkdirPrivate(conf.Store.Path); err != nil {
		return fmt.Errorf("making the state folder: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing run.json: %w", err)
	}
	return durable.WriteFile(runFilePath(conf), append(text, '\n'), 0o600)
}

// remove takes the file away, unless another process has put its own there.
func (r runFile) remove(conf *config.Config) {
	if present := readRunFile(conf); r.PID != 0 && present != nil && present.PID == r.PID {
		os.Remove(runFilePath(conf))
	}
}

// readRunFile returns nil where there is no such file, or none to be believed.
func readRunFile(conf *config.Config) *runFile {
	r, _ := findRunFile(conf)
	return r
}

// findRunFile is readRunFile, and says what is wrong with a file that is there.
func findRunFile(conf *config.Config) (*runFile, error) {
	path := runFilePath(conf)
	if conf.Store.Path == "" {
		return nil, nil
	}
	text, err := durable.ReadFile(path, runFileMost)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = checkOwner(path)
	}
	if err != nil {
		return nil, err
	}
	var r runFile
	if json.Unmarshal(text, &r) != nil {
		return nil, fmt.Errorf("%s is damaged", path)
	}
	return &r, nil
}

// checkOwner refuses a file that somebody put into a folder which all may write to:
// passwords and codes would go where it says.
func checkOwner(path string) error {
	file, err := os.Stat(path)
	if err != nil {
		return err
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	uid, known := durable.Owner(file)
	if trusted, _ := durable.Owner(folder); known && uid != os.Geteuid() && uid != trusted {
		return fmt.Errorf("%s belongs to another user (uid %d)", path, uid)
	}
	return nil
}

// A running is the proxy that runs beside this command, seen through its console.
type running struct {
	runFile
	client http.Client
}

// running finds the proxy that serves this configuration's state folder; nil =
// none does. A file left by a proxy that died is seen through: nobody answers,
// or somebody else.
func (a *app) running(ctx context.Context, conf *config.Config) *running {
	file, err := findRunFile(conf)
	if err != nil {
		if _, told := a.told.LoadOrStore(runFilePath(conf), true); !told {
			a.ui.warn("a running proxy cannot be found: "+err.Error(), "move it away; the next 'avsproxy serve' writes it anew")
		}
	}
	if file == nil {
		return nil
	}
	beside := &running{runFile: *file, client: http.Client{Transport: &http.Transport{Proxy: nil}}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var status console.Status
	if err := beside.call(ctx, http.MethodGet, "/api/status", &status); err != nil || status.PID != file.PID {
		return nil
	}
	return beside
}

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
	var trouble console.Trouble
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&trouble) != nil || trouble.Detail == "" {
		return nil, fmt.Errorf("the console answered %d", resp.StatusCode)
	}
	return nil, failed(fmt.Errorf("%s", trouble.Detail), trouble.Hint)
}

// request is one to the console, with its key where it has one.
func (r *running) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.Console+path, body)
	if err == nil && r.Key != "" {
		req.Header.Set(console.KeyHeader, r.Key)
	}
	return req, err
}

func withCredential(path, name string) string {
	if name == "" {
		return path
	}
	return path + "?" + url.Values{"credential": {name}}.Encode()
}
