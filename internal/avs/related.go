package avs

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// A Part is one piece of a multipart/related answer. ContentID is the bare id,
// as in a cid: URL; empty means none.
type Part struct {
	ContentType string
	ContentID   string
	Body        []byte
}

// RelatedWriter writes a multipart/related answer (RFC 2387) the way the service
// does: the delimiter line that ends a part is sent with the part, so that a reader
// knows at once that the part is complete. Every method makes exactly one Write to the
// underlying writer, so that a flush after it makes one DATA frame.
type RelatedWriter struct {
	w        io.Writer
	boundary string
}

// NewRelatedWriter returns a writer whose boundary is made from id, which must
// be unique to the answer and made of letters, digits and dashes.
func NewRelatedWriter(w io.Writer, id string) *RelatedWriter {
	return &RelatedWriter{w: w, boundary: "------" + id}
}

// ContentType is the content type of the answer to an event. Its root part has the
// content id StartID.
func (r *RelatedWriter) ContentType() string {
	return fmt.Sprintf("multipart/related; boundary=%s; start=%s; type=\"application/json\"", r.boundary, r.StartID())
}

// DownchannelType is the content type of the downchannel. The type parameter is
// not quoted, as in the service's answers, although strict parsers refuse that.
func (r *RelatedWriter) DownchannelType() string {
	return fmt.Sprintf("multipart/related; boundary=%s; type=application/json", r.boundary)
}

// StartID is the content id of the root part of the answer to an event.
func (r *RelatedWriter) StartID() string {
	return "metadata." + r.boundary[len("------"):]
}

// Open writes the delimiter line before the first part.
func (r *RelatedWriter) Open() error {
	_, err := r.w.Write(r.OpenLine())
	return err
}

// OpenLine is what Open writes.
func (r *RelatedWriter) OpenLine() []byte { return []byte("--" + r.boundary + "\r\n") }

// Write writes a part that another one may follow.
func (r *RelatedWriter) Write(part Part) error { return r.write(part, "\r\n") }

// Frame returns a part as Write writes it, but with the header block head.Raw.
func (r *RelatedWriter) Frame(head PartHead, body []byte) []byte {
	return slices.Concat(head.Raw, []byte("\r\n"), body, []byte("\r\n"), r.OpenLine())
}

// Last writes the last part and closes the answer.
func (r *RelatedWriter) Last(part Part) error { return r.write(part, "--\r\n") }

func (r *RelatedWriter) write(part Part, end string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Content-Type: %s\r\n", part.ContentType)
	if part.ContentID != "" {
		fmt.Fprintf(&b, "Content-ID: <%s>\r\n", part.ContentID)
	}
	b.WriteString("\r\n")
	b.Write(part.Body)
	fmt.Fprintf(&b, "\r\n--%s%s", r.boundary, end)
	_, err := r.w.Write(b.Bytes())
	return err
}
