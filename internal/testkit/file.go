package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// File writes a file for its owner alone, in a folder of its own that ends with the test.
func File[T string | []byte](t testing.TB, name string, content T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
