package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"avsproxy/internal/config"
)

// besides is what the program takes that [proxy] memory does not count.
const besides = 48 << 20 // bytes

// boundMemory has Go collect garbage more often before it takes much more from the system than
// the configuration says. GOMEMLIMIT goes before.
func boundMemory(env func(string) string, conf *config.Config) {
	if env("GOMEMLIMIT") != "" {
		return
	}
	limit := conf.Proxy.Memory + besides
	if conf.Capture.Enabled {
		limit += conf.Capture.Total
	}
	debug.SetMemoryLimit(limit)
}

const trimEvery = 15 * time.Second

// A trimmer gives memory back to the system when there was much to do, and now is little. Left
// to itself, Go keeps it for minutes.
type trimmer struct {
	collections uint64 // of garbage, at the last look
	trimmed     uint64 // bytes that were held after the last trim
}

// keep is a background task.
func (t *trimmer) keep(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.look()
		case <-ctx.Done():
			return
		}
	}
}

// look trims where nothing was collected since the last look, and more is held than after the
// last trim.
func (t *trimmer) look() {
	held, collections := memoryNow()
	quiet := collections == t.collections
	t.collections = collections
	if !quiet || held < t.trimmed+t.trimmed/10+4<<20 {
		return
	}
	for range 2 { // pools of buffers survive the first
		debug.FreeOSMemory()
	}
	t.trimmed, t.collections = memoryNow()
}

// memoryNow returns what Go holds of the system's memory, and how often it has collected
// garbage.
func memoryNow() (held, collections uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64(), samples[2].Value.Uint64()
}
