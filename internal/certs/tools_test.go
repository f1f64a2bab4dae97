package certs

import (
	"os"
	"os/exec"
	"testing"
)

// needTool returns the path of a program. Only where CI does not ask for every test
// may it be missing.
func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return path
}
