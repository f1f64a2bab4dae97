//go:build !postgres

package app

import "avsproxy/tokens"

func postgresEngine(tokens.Secret) (tokens.Engine, error) { return nil, builtWithout("PostgreSQL") }
