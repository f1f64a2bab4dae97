package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

const (
	// maxSecret bounds what is read of a secret. Tokens and secrets of OAuth
	// are at most some 2 KB; JWTs can be larger.
	maxSecret   = 64 << 10
	commandTime = 10 * time.Second
	keyringTime = 30 * time.Second // a person may have to unlock it
)

// read gives the secret as its source has it, and one byte more than maxSecret
// at most.
func (s SecretRef) read() ([]byte, error) {
	switch {
	case s.env != "":
		value := s.getenv(s.env)
		if value == "" {
			return nil, errors.New("is not set; set it where avsproxy is started")
		}
		return []byte(value), nil
	case s.file != "":
		return readFile(s.file)
	case len(s.command) > 0:
		return readCommand(context.Background(), s.command, s.environ...)
	}
	return readKeyring(context.Background(), s.keyring, keyring.Get)
}

// readFile refuses pipes and devices, which can be read only once or never end.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	text, err := readUpTo(path, maxSecret)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %s", cause(err))
	}
	return text, nil
}

// readCommand starts the program without a shell. It stays in our process
// group, where it may ask its question at the terminal. Without environ it has our
// environment.
func readCommand(ctx context.Context, command []string, environ ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = environ
	cmd.WaitDelay = time.Second // for what it leaves behind with its output open
	var out output
	cmd.Stdout = &out
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) || len(out.text) > maxSecret {
		return out.text, nil
	}
	return nil, fmt.Errorf("cannot be read: %s; run it by hand to see why", commandFailure(ctx, err))
}

// commandFailure repeats neither the command nor what it wrote.
func commandFailure(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return fmt.Sprintf("it did not end within %v", commandTime)
	}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.Exited() {
		return fmt.Sprintf("exit code %d", ended.ExitCode())
	} else if ok {
		return "it was ended by a signal"
	}
	if failed, ok := errors.AsType[*exec.Error](err); ok {
		err = failed.Err
	}
	return cause(err)
}

// output keeps what fits into a secret and ends the program that writes more.
type output struct{ text []byte }

func (o *output) Write(p []byte) (int, error) {
	o.text = append(o.text, p[:min(len(p), maxSecret+1-len(o.text))]...)
	if len(o.text) > maxSecret {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// readKeyring leaves a keyring that does not answer to itself, since it knows no
// context.
func readKeyring(ctx context.Context, entry string, get func(service, user string) (string, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		service, user := splitEntry(entry)
		text, err := get(service, user)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return []byte(a.text), keyringFailure(a.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot be read: the keyring did not answer within %v; unlock it first", keyringTime)
	}
}

func keyringFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return errors.New("does not exist; add it to the keyring under the service and user that are named here")
	}
	why := strings.Map(printable, err.Error())
	return fmt.Errorf("cannot be read: %s; where no keyring runs, use { env }, { file } or { command }", why)
}

// splitEntry takes what follows the last slash for the user: services are
// sometimes URLs.
func splitEntry(entry string) (service, user string) {
	i := max(0, strings.LastIndex(entry, "/"))
	return entry[:i], strings.TrimPrefix(entry[i:], "/")
}
