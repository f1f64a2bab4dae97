//go:build !unix

package app

// OpenFiles is how many files this process may have open: as many as it needs.
func OpenFiles() int { return 2 * maxConnections }
