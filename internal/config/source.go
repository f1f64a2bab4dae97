package config

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"avsproxy/internal/charset"
	"avsproxy/internal/durable"
	"avsproxy/internal/secretsource"

	"github.com/zalando/go-keyring"
)

// read returns the secret as its source has it.
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

func readFile(path string) ([]byte, error) {
	text, err := durable.ReadFile(path, secretsource.MaxSize)
	if errors.Is(err, durable.ErrNotRegular) {
		return nil, errors.New("is not a regular file")
	}
	if _, ok := errors.AsType[durable.TooLarge](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %s", cause(err))
	}
	return text, nil
}

// readCommand runs the program, which may ask at the terminal. Without environ it has
// our environment.
func readCommand(ctx context.Context, command []string, environ ...string) ([]byte, error) {
	text, err := secretsource.Command{Argv: command, Env: environ, AtTerminal: true}.Output(ctx)
	if errors.Is(err, secretsource.ErrTooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %s; run it by hand to see why", commandFailure(err))
	}
	return text, nil
}

var errTooLarge = errors.New("is larger than 64 KiB")

// commandFailure repeats neither the command nor its output.
func commandFailure(err error) string {
	if errors.Is(err, secretsource.ErrTimeout) {
		return fmt.Sprintf("it did not end within %v", secretsource.CommandTimeout)
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

func readKeyring(ctx context.Context, entry string, get func(service, user string) (string, error)) ([]byte, error) {
	service, user := splitEntry(entry)
	text, err := new(secretsource.Keyring).Call(ctx, func() (string, error) { return get(service, user) })
	if errors.Is(err, secretsource.ErrTimeout) {
		return nil, fmt.Errorf("cannot be read: the keyring did not answer within %v; unlock it first", secretsource.KeyringTimeout)
	}
	return []byte(text), keyringFailure(err)
}

func keyringFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return errors.New("does not exist; add it to the keyring under the service and user that are named here")
	}
	why := charset.Printable(strings.ReplaceAll(err.Error(), "\n", " "))
	return fmt.Errorf("cannot be read: %s; where no keyring runs, use { env }, { file } or { command }", why)
}

// splitEntry takes the part after the last slash as the user: services may be URLs.
func splitEntry(entry string) (service, user string) {
	i := max(0, strings.LastIndex(entry, "/"))
	return entry[:i], strings.TrimPrefix(entry[i:], "/")
}
