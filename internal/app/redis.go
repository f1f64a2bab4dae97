//go:build redis

package app

import (
	"avsproxy/internal/redisengine"
	"avsproxy/tokens"
)

func redisEngine(address tokens.Secret) (tokens.Engine, error) { return redisengine.New(address) }
