package main

import (
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// insisted is the name by which clients call the API that insist on its own: one
// that nobody resolves (RFC 2606).
const insisted = "alexa.example"

// A doorway is a built program that serves on every door and is logged in, with
// what clients of it need.
type doorway struct {
	*runningProxy
	amazon     *sandbox.Sandbox
	port       string
	unix       string // the path of its socket
	root       string // the file of its authority's root
	configFile string
}

func openDoors(t *testing.T) *doorway {
	t.Helper()
	amazon := startAmazon(t, sandbox.Options{})
	socket := filepath.Join(testkit.SocketDir(t), "s")
	proxy := serveBuilt(t, doorsConfig(t, amazon, socket))
	logIn(t, proxy, amazon)
	return &doorway{
		runningProxy: proxy, amazon: amazon, unix: socket, port: app.PortOf(proxy.Proxy[0]), root: filepath.Join(proxy.State, "ca.pem"),
		configFile: filepath.Join(proxy.Home, "config.toml"),
	}
}

// doorsConfig is amazonConfig with a unix socket besides, and with a name for the
// route that no local client has.
func doorsConfig(t *testing.T, amazon *sandbox.Sandbox, socket string) string {
	config := amazonConfig(t, amazon)
	config = strings.Replace(config, `listen = "localhost:0"`, `listen = ["localhost:0", "unix:`+socket+`"]`, 1)
	return strings.Replace(config, `preset = "avs"`, `preset = "avs"`+"\nhosts = [\""+insisted+"\"]", 1)
}
