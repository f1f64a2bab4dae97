package config

import (
	"os"
	"testing"

	"github.com/zalando/go-keyring"
)

// TestMain puts a keyring in memory in the place of this machine's.
func TestMain(m *testing.M) {
	keyring.MockInit()
	if err := keyring.Set("https://service", "user", "from-the-keyring"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
