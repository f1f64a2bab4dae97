//go:build !unix

package cli

// disableLineEditing does nothing: no bound of this system's terminals is known.
func disableLineEditing(int) (restore func()) { return func() {} }
