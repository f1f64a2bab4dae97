package cli

import (
	"avsproxy/internal/testkit"
	"testing"
)

func TestMain(m *testing.M) { testkit.Main(m) }
