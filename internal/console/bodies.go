package console

import (
	"bytes"
	"net/http"
	"time"

	"avsproxy/internal/capture"
)

// body serves the bytes of a body as they were kept, with ?plain=1 unpacked. They are
// anybody's: no browser may take them for a page of ours.
func (c *Console) body(w http.ResponseWriter, r *http.Request) error {
	message, err := c.message(r)
	if err != nil {
		return err
	}
	text := message.Body.Bytes
	if r.URL.Query().Get("plain") == "1" {
		text, _ = message.Plain()
	}
	download(w, r, "body-"+r.PathValue("id")+"-"+r.PathValue("side")+".bin", text)
	return nil
}

// message finds the side of an exchange that a request names.
func (c *Console) message(r *http.Request) (capture.Message, error) {
	record, err := c.record(r.PathValue("id"))
	if err != nil {
		return capture.Message{}, err
	}
	switch capture.Side(r.PathValue("side")) {
	case capture.RequestSide:
		return record.Request, nil
	case capture.ResponseSide:
		return record.Response, nil
	}
	return capture.Message{}, refuse(http.StatusNotFound, "unknown_side", "an exchange has a request and a response, nothing else", "see docs/api.md")
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
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
