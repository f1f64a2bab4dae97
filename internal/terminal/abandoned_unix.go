//go:build unix

package terminal

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollFor is how long one look takes, and so how late the end is seen.
const pollFor = 200 * time.Millisecond

// AwaitAbandoned waits until nobody reads a pipe any more, as behind "| head -1", or until ctx ends. It reports
// whether nobody does; always false for what is no pipe.
func AwaitAbandoned(ctx context.Context, out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	if info, err := file.Stat(); err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return false
	}
	for ctx.Err() == nil {
		poll := []unix.PollFd{{Fd: int32(file.Fd())}}
		_, err := unix.Poll(poll, int(pollFor/time.Millisecond))
		if err != nil && err != unix.EINTR {
			return false
		}
		if poll[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			return true
		}
	}
	return false
}
