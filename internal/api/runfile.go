package api

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"avsproxy/internal/durable"
)

// A RunFile is what a running "serve" leaves in the state folder for the other
// commands to find it by.
type RunFile struct {
	PID     int               `json:"pid"`
	Proxy   []string          `json:"proxy"`
	Console string            `json:"console"`
	Key     string            `json:"console_key,omitempty"` // see [console.Console.Key]
	Config  string            `json:"config,omitempty"`      // the file, absolute; empty = the one that comes with the program
	Sandbox *SandboxEndpoints `json:"sandbox,omitempty"`
}

const (
	RunFileName = "run.json"
	maxRunFile  = 1 << 20
)

func RunFilePath(folder string) string { return filepath.Join(folder, RunFileName) }

func (r RunFile) Write(folder string) error {
	if err := durable.MkdirPrivate(folder); err != nil {
		return fmt.Errorf("making the state folder: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing run.json: %w", err)
	}
	return durable.WriteFile(RunFilePath(folder), append(text, '\n'), 0o600)
}

// Remove takes the file away, unless another process has put its own there.
func (r RunFile) Remove(folder string) {
	if present := ReadRunFile(folder); r.PID != 0 && present != nil && present.PID == r.PID {
		os.Remove(RunFilePath(folder))
	}
}

// ReadRunFile returns nil where there is no such file, or none to be believed.
func ReadRunFile(folder string) *RunFile {
	r, _ := findRunFile(folder)
	return r
}

// findRunFile is readRunFile, and says what is wrong with a file that is there.
func findRunFile(folder string) (*RunFile, error) {
	path := RunFilePath(folder)
	if folder == "" {
		return nil, nil
	}
	text, err := durable.ReadFile(path, maxRunFile)
	if err == nil {
		err = checkOwner(path)
	}
	if errors.Is(err, fs.ErrNotExist) { // or not any more: it ends at this moment
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r RunFile
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

// SandboxEndpoints are the addresses of the sandbox that replaces Amazon. A running
// "serve" writes it into run.json, so that other commands find its sandbox.
type SandboxEndpoints struct {
	LWA string `json:"lwa"`
	AVS string `json:"avs"`
	CA  string `json:"ca"` // its root certificate, PEM
}

// Roots are those that the sandbox is verified by.
func (s *SandboxEndpoints) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.CA))
	return pool
}
