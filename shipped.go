// Package avsproxy has the configuration that comes with the program.
package avsproxy

import _ "embed"

// Config is config.toml. It holds where there is no other.
//
//go:embed config.toml
var Config []byte
