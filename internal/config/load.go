package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"avsproxy"
)

// maxFile limits the file: the parser's stack grows with the nesting of its input.
const maxFile = 256 << 10

// NotFound is the error when there is no configuration in any of the places.
type NotFound struct {
	Places []string
	By     string // what names the one place: "--config" or "AVSPROXY_CONFIG"; empty = nothing does
}

// Error lists the places and says what to do.
func (e *NotFound) Error() string {
	if e.By != "" {
		return fmt.Sprintf("there is no file %s, which %s names", e.Places[0], e.By)
	}
	return "no configuration found; looked at " + strings.Join(e.Places, ", ")
}

// Load finds, reads and checks the configuration. An empty path means: the file that
// AVSPROXY_CONFIG names, else ./config.toml, else
// $XDG_CONFIG_HOME/avsproxy/config.toml (~/.config when that is not set). A file that
// path or the variable names must exist. getenv is like [os.Getenv]; secrets use it
// later too. The error is a [*NotFound] or [Issues].
func Load(path string, getenv func(string) string) (*Config, error) {
	file, text, err := find(path, getenv)
	if err != nil {
		return nil, err
	}
	return Parse(file, text, getenv)
}

// LoadWithoutSecrets is Load for a command that talks to the running proxy, perhaps
// from a shell without the proxy's environment: it reads no secret.
func LoadWithoutSecrets(path string, getenv func(string) string) (*Config, error) {
	file, text, err := find(path, getenv)
	if err != nil {
		return nil, err
	}
	return parse(file, text, getenv, nil, Overrides{})
}

// Overrides take the place of what a file says; zero values take no place.
type Overrides struct {
	Listen  []string // of [proxy]
	Console string   // listen of [console]
	Sandbox bool
}

// LoadToServe is Load, or BuiltIn where there is no file and none is named.
func LoadToServe(path string, getenv func(string) string, over Overrides) (*Config, error) {
	file, text, err := find(path, getenv)
	if missing, ok := errors.AsType[*NotFound](err); ok && missing.By == "" {
		file, text, err = "", avsproxy.Config, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(file, text, getenv, readAll, over)
}

// Searched are the places of a configuration that nothing names.
func Searched(getenv func(string) string) []string {
	places, _ := places("", getenv)
	return places
}

// BuiltIn is the configuration that comes with the program, for where there is no other. It
// has no File.
func BuiltIn(getenv func(string) string) (*Config, error) {
	return Parse("", avsproxy.Config, getenv)
}

func find(path string, getenv func(string) string) (file string, text []byte, err error) {
	places, by := places(path, getenv)
	for _, file := range places {
		text, err := readUpTo(file, maxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, Issues{{File: file, Message: "cannot be read: " + cause(err), Hint: "make it a file that you may read, or name another with --config FILE"}}
		}
		return file, text, nil
	}
	return "", nil, &NotFound{Places: places, By: by}
}

// places are where a configuration may be, and what names the one place, if something does.
func places(path string, getenv func(string) string) (places []string, by string) {
	if path != "" {
		return []string{path}, "--config"
	}
	if named := getenv("AVSPROXY_CONFIG"); named != "" {
		return []string{named}, "AVSPROXY_CONFIG"
	}
	found := []string{"config.toml"}
	if folder := baseFolder("XDG_CONFIG_HOME", ".config", getenv); folder != "" {
		found = append(found, filepath.Join(folder, "avsproxy", "config.toml"))
	}
	return found, ""
}

// StateFolder is the default state folder: the first of $STATE_DIRECTORY, which
// systemd sets (systemd.exec(5)), else $XDG_STATE_HOME/avsproxy, else
// ~/.local/state/avsproxy. It is empty when none of these is known.
func StateFolder(getenv func(string) string) string {
	if first, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(first) {
		return first
	}
	if folder := baseFolder("XDG_STATE_HOME", filepath.Join(".local", "state"), getenv); folder != "" {
		return filepath.Join(folder, "avsproxy")
	}
	return ""
}

// baseFolder follows the XDG Base Directory Specification: a relative value is
// ignored. It is empty when no home is known.
func baseFolder(name, underHome string, getenv func(string) string) string {
	if folder := getenv(name); filepath.IsAbs(folder) {
		return folder
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, underHome)
	}
	return ""
}

// pipeTimeout is how long a pipe, such as a shell's <(...), may take to end.
const pipeTimeout = 5 * time.Second

// readUpTo reads one byte more than limit, so that the caller sees that there is more.
func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // do not wait for the writer of a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(pipeTimeout)) // fails on regular files, which need none
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("it is a pipe that did not end within %v", pipeTimeout)
	}
	if info, statErr := f.Stat(); err == nil && statErr == nil && len(text) == 0 && !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file, and nothing came from it")
	}
	return text, err
}

// cause is the reason of a failed file operation without the path, which the issue
// names already.
func cause(err error) string {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err.Error()
	}
	return err.Error()
}
