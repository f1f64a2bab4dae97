//go:build !unix

package tokens

import "os/exec"

// killGroup leaves it at the command itself: there are no process groups here.
func killGroup(*exec.Cmd) {}
