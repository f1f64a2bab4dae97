//go:build !unix

package terminal

import (
	"context"
	"io"
)

// AwaitAbandoned is not known on this system.
func AwaitAbandoned(context.Context, io.Writer) bool { return false }
