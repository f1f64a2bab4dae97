package terminal

import "fmt"

// Exit codes, the same for every command.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2 // wrong usage or configuration
	ExitLogin       = 3 // a login is needed
	ExitUnreachable = 4 // provider or upstream unreachable
)

// An ExitError ends the program with a code of its own. A nil Err says nothing
// more to the person: everything was said.
type ExitError struct {
	Code int
	Err  error
	Hint string
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Exit returns an [ExitError], or nil for the nil error.
func Exit(code int, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &ExitError{code, err, hint}
}

// Failed is [Exit] with [ExitFailed].
func Failed(err error, hint string) error { return Exit(ExitFailed, err, hint) }

// Usage is [Exit] with [ExitUsage].
func Usage(err error, hint string) error { return Exit(ExitUsage, err, hint) }

// LoginNeeded is [Exit] with [ExitLogin].
func LoginNeeded(err error, hint string) error { return Exit(ExitLogin, err, hint) }

// Unreachable is [Exit] with [ExitUnreachable].
func Unreachable(err error, hint string) error { return Exit(ExitUnreachable, err, hint) }
