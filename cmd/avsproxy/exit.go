package main

import "fmt"

// Exit codes, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage or configuration
	exitLogin       = 3 // a login is needed
	exitUnreachable = 4 // provider or upstream unreachable
)

// An exitError ends the program with a code of its own. A nil Err says nothing
// more to the person: everything was said.
type exitError struct {
	Code int
	Err  error
	Hint string
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

func failed(err error, hint string) error { return &exitError{exitFailed, err, hint} }

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err, ""}
}

func asFailed(err error) error {
	if err == nil {
		return nil
	}
	return failed(err, "")
}
