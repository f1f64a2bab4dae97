package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"avsproxy/internal/listen"
	"avsproxy/internal/terminal"
)

// A ListenerSet opens listeners and closes them all.
type ListenerSet struct {
	Env *Environment
	lns []net.Listener
}

func (d *ListenerSet) Open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, warnings, err := listen.Open(ctx, addr)
	for _, warning := range warnings {
		d.Env.UI.Warn(warning, "")
	}
	var inUse *listen.InUse
	if errors.As(err, &inUse) && inUse.PID == os.Getpid() {
		return nil, terminal.Usage(fmt.Errorf("two parts are to listen on %s", inUse.Addr), "give each a port of its own")
	}
	if inUse != nil {
		return nil, terminal.Failed(fmt.Errorf("cannot listen on %s: %w", addr, err), "end the other program, or choose another port")
	}
	if err != nil {
		return nil, terminal.Failed(fmt.Errorf("cannot listen on %s: %s", addr, strings.TrimPrefix(err.Error(), addr+": ")), "")
	}
	d.lns = append(d.lns, lns...)
	return lns, nil
}

func (d *ListenerSet) Close() {
	for _, ln := range d.lns {
		ln.Close()
	}
}
