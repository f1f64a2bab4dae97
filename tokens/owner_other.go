//go:build !unix

package tokens

import "io/fs"

// Where files have no Unix owner and mode, the folder in the user's profile is
// what keeps others out.
func owner(fs.FileInfo) (uid int, known bool) { return 0, false }

func sharedMode(fs.FileMode) bool { return false }
