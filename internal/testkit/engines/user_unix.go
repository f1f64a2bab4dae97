//go:build unix

package engines

import (
	"os"
	"os/exec"
	"syscall"
)

// postgresUser is who PostgreSQL runs as where a test is root, whom it refuses.
const postgresUser = 65534

func asUser(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: postgresUser, Gid: postgresUser}}
	}
	return cmd
}
