package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"avsproxy/internal/listen"
)

// A doorList opens listeners and closes them all.
type doorList struct {
	env *environment
	lns []net.Listener
}

func (d *doorList) open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, warnings, err := listen.Open(ctx, addr)
	for _, warning := range warnings {
		d.env.ui.warn(warning, "")
	}
	var inUse *listen.InUse
	if errors.As(err, &inUse) && inUse.PID == os.Getpid() {
		return nil, &exitError{exitUsage, fmt.Errorf("two parts are to listen on %s", inUse.Addr), "give each a port of its own"}
	}
	if inUse != nil {
		return nil, failed(fmt.Errorf("cannot listen on %s: %w", addr, err), "end the other program, or choose another port")
	}
	if err != nil {
		return nil, failed(fmt.Errorf("cannot listen on %s: %s", addr, strings.TrimPrefix(err.Error(), addr+": ")), "")
	}
	d.lns = append(d.lns, lns...)
	return lns, nil
}

func (d *doorList) close() {
	for _, ln := range d.lns {
		ln.Close()
	}
}
