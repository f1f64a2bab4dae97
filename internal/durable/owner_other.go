//go:build !unix

package durable

import "io/fs"

// Owner returns the user that owns a file, where the system has owners.
func Owner(fs.FileInfo) (uid int, known bool) { return 0, false }
