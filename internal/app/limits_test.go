package app

import "testing"

func TestConnectionsLeaveFilesToTheUpstreams(t *testing.T) {
	for files, want := range map[int]int{256: 128, 1024: 512, 1 << 20: maxConnections} {
		if got := ProxyConnections(files); got != want {
			t.Errorf("%d files: %d connections", files, got)
		}
	}
	if files := OpenFiles(); files < 256 {
		t.Errorf("only %d files", files)
	}
}
