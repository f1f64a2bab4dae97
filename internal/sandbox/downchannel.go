package sandbox

import (
	"encoding/json"
	"net/http"
	"sync"

	"avsproxy/internal/avs"
)

// downchannelQueue is how many directives wait for a slow reader; more are not
// taken.
const downchannelQueue = 64

// downchannels are the streams on which the service speaks unasked. Each is a
// queue of directives in JSON.
type downchannels struct {
	mu   sync.Mutex
	open map[chan []byte]bool
}

func newDownchannels() *downchannels {
	return &downchannels{open: map[chan []byte]bool{}}
}

func (d *downchannels) join() chan []byte {
	queue := make(chan []byte, downchannelQueue)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[queue] = true
	return queue
}

func (d *downchannels) leave(queue chan []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, queue)
}

// send queues a directive on every downchannel and returns how many took it.
func (d *downchannels) send(directive avs.Directive) (taken int) {
	text, err := json.Marshal(directive)
	if err != nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for queue := range d.open {
		select {
		case queue <- text:
			taken++
		default:
		}
	}
	return taken
}

// downchannel stays open until the client or the sandbox ends. Each write is
// flushed by itself: clients look at how a DATA frame begins.
func (g *gateway) downchannel(w http.ResponseWriter, r *http.Request) {
	queue := g.downchannels.join()
	defer g.downchannels.leave(queue)
	// Something harmless to see for whoever watches with curl.
	queue <- directiveJSON(avs.Directive{Header: avs.Header{Namespace: "System", Name: "ResetUserInactivity", MessageID: newID()}})

	stream := avs.NewRelatedWriter(w, newID())
	w.Header().Set("Content-Type", stream.DownchannelType())
	flush := http.NewResponseController(w).Flush
	stream.Open()
	for flush() == nil {
		select {
		case text := <-queue:
			stream.Write(avs.Part{ContentType: avs.JSONType, Body: text})
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // cut off: a clean end would mean that all was said
		}
	}
}
