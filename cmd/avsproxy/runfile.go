package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

func runFilePath(folder string) string { return filepath.Join(folder, runFileName) }

func (r runFile) write(folder string) error {
	if err := durable.MkdirPrivate(folder); err != nil {
		return fmt.Errorf("making the state folder: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing run.json: %w", err)
	}
	return durable.WriteFile(runFilePath(folder), append(text, '\n'), 0o600)
}

// remove takes the file away, unless another process has put its own there.
func (r runFile) remove(folder string) {
	if present := readRunFile(folder); r.PID != 0 && present != nil && present.PID == r.PID {
		os.Remove(runFilePath(folder))
	}
}

// readRunFile returns nil where there is no such file, or none to be believed.
func readRunFile(folder string) *runFile {
	r, _ := findRunFile(folder)
	return r
}

// findRunFile is readRunFile, and says what is wrong with a file that is there.
func findRunFile(folder string) (*runFile, error) {
	path := runFilePath(folder)
	if folder == "" {
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
