package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// TestGRPCJS has @grpc/grpc-js call as TestGRPCGo does. GRPC_JS is its folder.
func TestGRPCJS(t *testing.T) {
	if os.Getenv("GRPC_JS") == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("GRPC_JS does not say where @grpc/grpc-js is")
		}
		t.Skip("GRPC_JS does not say where @grpc/grpc-js is")
	}
	server, p := startGRPC(t)
	address := "localhost:" + p.serve(t)
	for door, root := range map[string]string{"h2c": "", "TLS": filepath.Join(p.folder, "ca.pem")} {
		t.Run(door, func(t *testing.T) {
			cmd := exec.CommandContext(testkit.Context(t), "node", "testdata/grpc.js", address, root)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Count(string(out), "PASS") != 8 {
				t.Fatalf("%v\n%s", err, out)
			}
			for range 2 { // the calls that waited
				caller{server: server}.served(t)
			}
		})
	}
}
