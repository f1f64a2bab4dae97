//go:build !unix

package secretsource

import "os/exec"

// killGroup does nothing: this system has no process groups.
func killGroup(*exec.Cmd) {}

func hasTerminal() bool { return true }
