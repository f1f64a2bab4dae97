//go:build !unix

package main

// openFiles is how many files this process may have open: as many as it needs.
func openFiles() int { return 2 * connectionsMost }
