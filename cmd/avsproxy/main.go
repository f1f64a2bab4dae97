// Command avsproxy is a local proxy that gives requests the OAuth 2.0 credential
// their client cannot get. See the README, or run "avsproxy --help".
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"avsproxy/internal/cli"
)

func main() {
	// What net/http and others say of themselves by the standard logger may hold what
	// upstreams sent, tokens included, and with GODEBUG=http2debug=2 every header.
	log.SetOutput(io.Discard)
	getenv := cli.Snapshot(os.Environ())
	ctx, err := cli.ForbidCores(context.Background(), getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "avsproxy: warning:", err)
	}
	os.Exit(cli.Run(ctx, os.Args[1:], getenv, os.Stdin, os.Stdout, os.Stderr))
}
