package console

import (
	"bytes"
	"net/http"
	"strconv"

	"avsproxy/internal/capture"
)

// body serves the bytes of a body as they were kept, with ?plain=1 unpacked. They are
// anybody's: no browser may take them for a page of ours.
func (c *Console) body(w http.ResponseWriter, r *http.Request) {
	_, message, ok := c.message(w, r)
	if !ok {
		return
	}
	text := message.Body.Bytes
	if r.URL.Query().Get("plain") == "1" {
		text, _ = message.Plain()
	}
	download(w, r, "body-"+r.PathValue("id")+"-"+r.PathValue("side")+".bin", text)
}

// message finds the side of an exchange that a request names.
func (c *Console) message(w http.ResponseWriter, r *http.Request) (capture.Record, capture.Message, bool) {
	record, ok := c.record(w, r)
	switch side := capture.Side(r.PathValue("side")); {
	case !ok:
	case side == capture.RequestSide:
		return record, record.Request, true
	case side == capture.ResponseSide:
		return record, record.Response, true
	default:
		refuse(w, http.StatusNotFound, "unknown_side", "an exchange has a request and a response, nothing else", "see docs/api.md")
	}
	return capture.Record{}, capture.Message{}, false
}

// download has the browser save the bytes, whatever they are.
func download(w http.ResponseWriter, r *http.Request, name string, text []byte) {
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	serveBytes(w, r, "application/octet-stream", text)
}

// serveBytes answers ranges too, which players ask for. Opened as a page the bytes
// have no origin and can do nothing.
func serveBytes(w http.ResponseWriter, r *http.Request, contentType string, text []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; "+h.Get("Content-Security-Policy"))
	h.Set("Content-Type", contentType)
	http.ServeContent(w, r, "", noTime, bytes.NewReader(text))
}

// number parses the index in a path.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}
