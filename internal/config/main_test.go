package config

import (
	"testing"

	"avsproxy/internal/testkit"

	"github.com/zalando/go-keyring"
)

// TestMain puts a keyring in memory in the place of this machine's.
func TestMain(m *testing.M) {
	keyring.MockInit()
	if err := keyring.Set("https://service", "user", "from-the-keyring"); err != nil {
		panic(err)
	}
	testkit.Main(m)
}
