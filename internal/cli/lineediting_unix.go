//go:build unix

package cli

import "golang.org/x/sys/unix"

// disableLineEditing takes the editing of lines from a terminal; what is no terminal stays
// as it is.
func disableLineEditing(fd int) (restore func()) {
	mode, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {}
	}
	changed := *mode
	changed.Lflag &^= unix.ICANON
	changed.Cc[unix.VMIN], changed.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(fd, setTermios, &changed) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, mode) }
}
