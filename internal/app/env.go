package app

import (
	"sync"

	"avsproxy/internal/terminal"
)

// An Environment is what the process gives to the parts of the program.
type Environment struct {
	Getenv  func(string) string
	UI      *terminal.Voice
	told    sync.Map // paths of unusable files that were told of
	Leaving leaving
	Passing bool // the state folder ends with this process
}
