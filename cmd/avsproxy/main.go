// Command avsproxy is a local proxy that gives requests the OAuth 2.0 credential
// their client cannot get. See the README, or run "avsproxy --help".
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
