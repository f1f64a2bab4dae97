//go:build !unix

package engines

import "os/exec"

func asUser(cmd *exec.Cmd) *exec.Cmd { return cmd }
