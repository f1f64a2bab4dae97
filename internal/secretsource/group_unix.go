//go:build unix

package secretsource

import (
	"os"
	"os/exec"
	"syscall"
)

// killGroup puts the program into a process group of its own, which is killed as a
// whole.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// hasTerminal reports whether a person can be asked. A program in another process
// group would be stopped when it reads from the terminal (termios(3), SIGTTIN).
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
