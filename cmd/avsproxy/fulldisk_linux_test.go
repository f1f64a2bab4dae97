package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// serve starts on a full disk, the first time and later.
func TestServeStartsOnAFullDisk(t *testing.T) {
	for name, servedBefore := range map[string]bool{"first start": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			folder, fill := testkit.SmallDisk(t)
			config := strings.ReplaceAll(`
sandbox = true
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[store]
path = "STATE"
[[route]]
name = "avs"
preset = "avs"
credential = "alexa"
[credential.alexa]
provider = "amazon"
`, "STATE", filepath.Join(folder, "state"))
			if servedBefore {
				t.Run("with room", func(t *testing.T) { serveBuilt(t, config) })
			}
			fill()
			proxy := serveBuilt(t, config)
			resp := testkit.Must(http.Get(proxy.Proxy[0] + "/ping"))(t)
			resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent || !strings.Contains(proxy.Stderr.String(), "the disk is full") {
				t.Errorf("%s\n%s", resp.Status, proxy.Stderr)
			}
		})
	}
}
