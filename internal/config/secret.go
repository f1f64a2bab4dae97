package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"avsproxy/tokens"
)

// maxSecret bounds a secret's file. Tokens and secrets of OAuth are at most
// some 2 KB; JWTs can be larger.
const maxSecret = 64 << 10

// Secret is a reference to a secret: its text, or the environment variable or
// file that holds it. It prints its source, never its value. The zero value
// means that there is none.
type Secret struct {
	key    string // dotted, for errors
	text   tokens.Secret
	env    string
	file   string
	getenv func(string) string
}

// IsZero says that the configuration gives no such secret.
func (s Secret) IsZero() bool {
	return s.text == "" && s.env == "" && s.file == ""
}

// Resolve reads the secret now, so that a rotated one is picked up without a
// restart. A newline at the end of a file is not part of it. The zero Secret
// gives "" and no error; any other gives a value that is not empty, or an
// error that names the key and the source.
func (s Secret) Resolve() (tokens.Secret, error) {
	value, err := s.resolve()
	if err != nil && s.file != "" {
		err = fmt.Errorf("file %s: %w", s.file, err)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.key, err)
	}
	return value, nil
}

// resolve gives errors that do not name a file, since a secret may have been
// pasted in the place of its path.
func (s Secret) resolve() (tokens.Secret, error) {
	switch {
	case s.env != "":
		value := s.getenv(s.env)
		if value == "" {
			return "", fmt.Errorf("environment variable %s is not set", s.env)
		}
		return tokens.Secret(value), nil
	case s.file != "":
		return readSecret(s.file)
	}
	return s.text, nil
}

// readSecret refuses pipes and devices, which can be read only once or never
// end.
func readSecret(path string) (tokens.Secret, error) {
	if info, err := os.Stat(path); err != nil {
		return "", errors.New(cause(err))
	} else if !info.Mode().IsRegular() {
		return "", errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", errors.New(cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", errors.New(cause(err))
	}
	return secretText(text)
}

func secretText(text []byte) (tokens.Secret, error) {
	if len(text) > maxSecret {
		return "", errors.New("is larger than 64 KiB")
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", errors.New("is empty")
	}
	return tokens.Secret(value), nil
}

// String names the source.
func (s Secret) String() string {
	switch {
	case s.env != "":
		return "[secret: environment variable " + s.env + "]"
	case s.file != "":
		return "[secret: file " + s.file + "]"
	case s.text != "":
		return "[secret: text]"
	}
	return "[no secret]"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format writes String for every verb, so that no verb reaches the fields.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is String as JSON text.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
