//go:build !redis

package app

import "avsproxy/tokens"

func redisEngine(tokens.Secret) (tokens.Engine, error) { return nil, builtWithout("Redis") }
