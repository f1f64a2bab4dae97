package main

import "sync"

// An environment is what the process gives to the parts of the program.
type environment struct {
	getenv  func(string) string
	ui      *voice
	told    sync.Map // paths of unusable files that were told of
	leaving leaving
	passing bool // the state folder ends with this process
}
