package app

import "testing"

func TestLocalOnly(t *testing.T) {
	for addr, want := range map[string]bool{
		"localhost:9744": true, "127.0.0.1:0": true, "[::1]:9744": true, "unix:/run/x": true,
		":9744": false, "0.0.0.0:9744": false, "[::]:9744": false, "192.168.1.1:9744": false, "box.example:9744": false,
	} {
		if got := localOnly([]string{"localhost:1", addr}); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
}
