// Command avsproxy is a local proxy that gives requests the OAuth 2.0 credential
// their client cannot get. See the README, or run "avsproxy --help".
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	getenv := snapshot(os.Environ())
	ctx, err := forbidCores(context.Background(), getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "avsproxy: warning:", err)
	}
	os.Exit(run(ctx, os.Args[1:], getenv, os.Stdin, os.Stdout, os.Stderr))
}
