package sandbox

import (
	"encoding/json"
	"net/http"
	"sync"

	"avsproxy/internal/avs"
)

// downchannelQueue is how many directives wait for a slow client. More are dropped.
const downchannelQueue = 64

// downchannels are the open downchannels: the keys are queues of directives in JSON, of type
// chan []byte.
type downchannels struct{ open sync.Map }

func (d *downchannels) send(directive avs.Directive) (queued int) {
	text, err := json.Marshal(directive)
	if err != nil {
		return 0
	}
	for queue := range d.open.Range {
		select {
		case queue.(chan []byte) <- text:
			queued++
		default:
		}
	}
	return queued
}

// serve keeps a downchannel open until the client or the sandbox ends. It flushes each
// write, because clients look at how a DATA frame begins.
func (d *downchannels) serve(w http.ResponseWriter, r *http.Request) {
	queue := make(chan []byte, downchannelQueue)
	d.open.Store(queue, true)
	defer d.open.Delete(queue)
	// A harmless directive, so that curl shows something.
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
			panic(http.ErrAbortHandler) // reset the stream: a clean end would mean a complete answer
		}
	}
}
