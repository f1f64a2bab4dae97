package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"

	"github.com/zalando/go-keyring"

	"avsproxy/internal/charset"
	"avsproxy/internal/durable"
	"avsproxy/internal/secretsource"
	"avsproxy/tokens"
)

// A SecretRef is a reference to a secret: its text, or the environment variable,
// file, command or keyring entry that has it. It prints its source, never its value.
// The zero value is no secret.
type SecretRef struct {
	key     string // dotted, for errors
	text    tokens.Secret
	env     string
	file    string
	command []string // program and arguments
	keyring string   // "service/user"
	getenv  func(string) string
	environ []string // of the command, which may need other secrets to read this one
}

// IsZero reports whether the configuration has no such secret.
func (s SecretRef) IsZero() bool {
	return s.text == "" && !s.elsewhere()
}

// elsewhere reports whether the secret is outside of the configuration.
func (s SecretRef) elsewhere() bool {
	return s.env != "" || s.file != "" || len(s.command) > 0 || s.keyring != ""
}

// ResolveQuick is [SecretRef.Resolve] for a secret that takes no time to read: a text,
// an environment variable or a file. It returns "" for other sources and on errors.
func (s SecretRef) ResolveQuick() tokens.Secret {
	if len(s.command) > 0 || s.keyring != "" {
		return ""
	}
	secret, _ := s.resolve()
	return secret
}

// Resolve reads the secret now, so that a rotated one needs no restart. A command
// may take 10 s, a keyring 30 s. A newline at the end is not part of the secret. The
// zero SecretRef gives "" and no error; any other gives a value that is not empty and
// that Check accepts, or an error that names the key and the source.
func (s SecretRef) Resolve() (tokens.Secret, error) {
	value, err := s.resolve()
	if err != nil {
		from := s.source()
		if s.file != "" {
			from = "file " + s.file
		}
		return "", fmt.Errorf("%s: %s %w", s.key, from, err)
	}
	return value, nil
}

// resolve returns errors that complete "SOURCE ".
func (s SecretRef) resolve() (tokens.Secret, error) {
	if !s.elsewhere() {
		return s.text, nil
	}
	text, err := s.read()
	if err != nil {
		return "", err
	}
	if len(text) > secretsource.MaxSize {
		return "", errTooLarge
	}
	value := tokens.Secret(strings.TrimRight(string(charset.UTF8(text)), "\r\n"))
	if value == "" {
		return "", errors.New("is empty")
	}
	if err := s.Check(value); err != nil {
		return "", err
	}
	return value, nil
}

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
	why := charset.Printable(strings.Join(strings.Fields(err.Error()), " ")) // on one line
	return fmt.Errorf("cannot be read: %s; where no keyring runs, use { env }, { file } or { command }", why)
}

// splitEntry takes the part after the last slash as the user: services may be URLs.
func splitEntry(entry string) (service, user string) {
	i := max(0, strings.LastIndex(entry, "/"))
	return entry[:i], strings.TrimPrefix(entry[i:], "/")
}

// Check refuses a placeholder, and a token of the wrong kind, as the value of this
// secret. The error does not have the value; it completes "SOURCE ", as in "SOURCE is
// still a placeholder".
func (s SecretRef) Check(value tokens.Secret) error {
	if isPlaceholder(value.Reveal()) {
		return errors.New("is still a placeholder; put your own value in its place")
	}
	return s.checkTokenKind(value)
}

// checkTokenKind tells Amazon's tokens apart by their first letters.
func (s SecretRef) checkTokenKind(value tokens.Secret) error {
	switch {
	case strings.HasSuffix(s.key, ".refresh_token") && strings.HasPrefix(value.Reveal(), "Atza|"):
		return errors.New(`holds an access token (Atza|), not a refresh token (Atzr|); use the refresh token, or grant = "static"`)
	case strings.HasSuffix(s.key, ".token") && strings.HasPrefix(value.Reveal(), "Atzr|"):
		return errors.New(`holds a refresh token (Atzr|), not an access token (Atza|); use grant = "refresh_token"`)
	}
	return nil
}

func isPlaceholder(text string) bool {
	return regexp.MustCompile(`\{\{.*\}\}|^\s*<.*>\s*$`).MatchString(text)
}

// source names no path and no argument: each may be a secret in the wrong place.
func (s SecretRef) source() string {
	switch {
	case s.env != "":
		return "environment variable " + s.env
	case s.file != "":
		return "its file"
	case len(s.command) > 0:
		return "the output of its command"
	}
	return "its keyring entry"
}

// String names the source.
func (s SecretRef) String() string {
	switch {
	case s.IsZero():
		return "[no secret]"
	case s.text != "":
		return "[secret: text]"
	case s.file != "":
		return "[secret: file " + s.file + "]"
	}
	return "[secret: " + s.source() + "]"
}

// Format writes String for every verb: no verb prints the fields.
func (s SecretRef) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText is String, for JSON and log/slog too.
func (s SecretRef) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
