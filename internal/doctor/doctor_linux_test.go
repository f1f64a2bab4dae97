package doctor

import (
	"testing"

	"avsproxy/internal/testkit"
)

func TestFullDisk(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	finds(t, []Finding{writable(folder)}, "")
	fill()
	finds(t, []Finding{writable(folder)}, "fail: is full")
}
