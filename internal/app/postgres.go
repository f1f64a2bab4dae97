//go:build postgres

package app

import (
	"avsproxy/internal/postgresengine"
	"avsproxy/tokens"
)

func postgresEngine(address tokens.Secret) (tokens.Engine, error) { return postgresengine.New(address) }
