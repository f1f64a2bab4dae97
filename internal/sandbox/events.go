package sandbox

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"avsproxy/internal/avs"
)

// speech is the sandbox's only sentence, as MP3.
//
//go:embed speech/speak.mp3
var speech []byte

// event answers an event. It answers Recognize during the upload; any other event, and
// Recognize without sound, gets 204.
func event(w http.ResponseWriter, r *http.Request, d *downchannels) {
	http.NewResponseController(w).EnableFullDuplex()
	reader, event, err := readEvent(r)
	if err != nil {
		status, code := eventStatus(err)
		writeException(w, status, avs.Exception(newID(), code, err.Error()))
		return
	}
	if event.Is("SpeechRecognizer", "Recognize") && reader.More() {
		recognize(w, r, reader, event, d)
		return
	}
	finish(r, reader)
	w.WriteHeader(http.StatusNoContent)
}

// recognize sends the directive before the upload has ended, and the sound after it.
func recognize(w http.ResponseWriter, r *http.Request, reader *avs.EventReader, event avs.Header, d *downchannels) {
	d.send(avs.Directive{Header: dialogHeader(event, "SpeechRecognizer", "StopCapture")})
	answer := openMultipart(w)
	sound := newID()
	answer.Write(avs.Part{
		ContentType: avs.JSONType,
		ContentID:   answer.StartID(),
		Body: mustJSON(avs.Directive{
			Header:  dialogHeader(event, "SpeechSynthesizer", "Speak"),
			Payload: avs.SpeechPayload{ContentID: sound, Token: newID()},
		}),
	})
	http.NewResponseController(w).Flush()
	finish(r, reader)
	answer.Last(avs.Part{ContentType: avs.AudioType, ContentID: sound, Body: speech})
}

// recognizeV1 is the older service: it answers after the upload.
func recognizeV1(w http.ResponseWriter, r *http.Request) {
	reader, _, err := readEvent(r)
	if err != nil {
		status, _ := eventStatus(err)
		writeException(w, status, avs.InvalidRequestV1(err.Error()))
		return
	}
	finish(r, reader)
	answer := openMultipart(w)
	sound := newID()
	answer.Write(avs.Part{ContentType: avs.JSONType, ContentID: answer.StartID(), Body: avs.SpeechV1(sound)})
	answer.Last(avs.Part{ContentType: avs.AudioTypeV1, ContentID: sound, Body: speech})
}

func openMultipart(w http.ResponseWriter) *avs.RelatedWriter {
	answer := avs.NewRelatedWriter(w, newID())
	w.Header().Set("Content-Type", answer.ContentType())
	answer.Open()
	return answer
}

func readEvent(r *http.Request) (*avs.EventReader, avs.Header, error) {
	reader, err := avs.NewEventReader(r.Body, r.Header.Get("Content-Type"))
	if err != nil {
		return nil, avs.Header{}, err
	}
	event, err := reader.Event()
	return reader, event, err
}

// eventStatus returns the status for a mistake of the client. It aborts the handler if
// the upload broke off, because no client is left.
func eventStatus(err error) (status int, code string) {
	switch {
	case errors.Is(err, avs.ErrNotMultipart):
		return http.StatusUnsupportedMediaType, avs.CodeUnsupportedMedia
	case errors.Is(err, avs.ErrMalformed):
		return http.StatusBadRequest, avs.CodeInvalidRequest
	default:
		panic(http.ErrAbortHandler)
	}
}

// finish reads the rest of an upload, also after the closing delimiter. The answer may
// have started, so finish aborts the handler if the upload broke off.
func finish(r *http.Request, reader *avs.EventReader) {
	_, err := reader.AudioSize()
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// dialogHeader returns the header of a directive that belongs to the dialog of an event.
func dialogHeader(event avs.Header, namespace, name string) avs.Header {
	return avs.Header{Namespace: namespace, Name: name, MessageID: newID(), DialogRequestID: event.DialogRequestID}
}

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
	queue <- mustJSON(avs.Directive{Header: avs.Header{Namespace: "System", Name: "ResetUserInactivity", MessageID: newID()}})

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
