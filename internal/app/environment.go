package app

import (
	"sync"

	"avsproxy/internal/terminal"
)

// An Environment is what the process gives to the parts of the program.
type Environment struct {
	Getenv    func(string) string
	UI        *terminal.Terminal
	warned    sync.Map // paths of unusable files that were told of
	Cleanup   Cleanup
	Temporary bool // the state folder ends with this process
}
