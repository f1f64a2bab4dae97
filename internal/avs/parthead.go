package avs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// The longest line that can be told to be a delimiter or a header, and the most
// headers a part may have. Content may have lines of any length.
const (
	lineBuffer     = 32 << 10
	maxPartHeaders = 64
)

// A PartHead is what a part begins with. Empty texts mean that its headers do not
// say.
type PartHead struct {
	// Raw is the header block as it came, line ends included, without the blank line
	// that ends it. A [PartScanner] alone keeps it.
	Raw []byte
	// ContentType is as it came. ContentID is the bare id, as in a cid: URL. Name is
	// the part's in a form.
	ContentType, ContentID, Name string
}

// partReader splits a multipart message into its parts as it arrives. It works
// line by line, so that lines may end in LF, CRLF, or both in one message.
type partReader struct {
	lines     *bufio.Reader
	delimiter string
	begun     bool // the first delimiter was seen
	ended     bool // the closing delimiter was seen, or the message's end
	count     int
}

func newPartReader(body io.Reader, boundary string) *partReader {
	return &partReader{lines: bufio.NewReaderSize(body, lineBuffer), delimiter: "--" + boundary}
}

// next goes to the next part and reads its headers. The content of the part
// before must have been read. At the end of the message the error is io.EOF.
func (r *partReader) next() (PartHead, error) {
	if !r.begun {
		r.begun = true
		if err := r.content(io.Discard); err != nil {
			return PartHead{}, err
		}
	}
	if r.ended {
		return PartHead{}, io.EOF
	}
	r.count++
	return r.head()
}

func (r *partReader) head() (PartHead, error) {
	var head PartHead
	for range maxPartHeaders {
		line, err := r.lines.ReadSlice('\n')
		if err == io.EOF && len(bytes.TrimSpace(line)) == 0 {
			r.ended = true // the final delimiter lacked its "--"
			return head, io.EOF
		}
		if err == io.EOF || err == bufio.ErrBufferFull {
			return head, fmt.Errorf("%w: part %d has a header that does not end", ErrMalformed, r.count)
		}
		if err != nil {
			return head, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return head, nil
		}
		if err := head.add(text); err != nil {
			return head, err
		}
	}
	return head, fmt.Errorf("%w: part %d has more than %d headers", ErrMalformed, r.count, maxPartHeaders)
}

func (h *PartHead) add(line string) error {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%w: a blank line is missing between a part's headers and its content", ErrMalformed)
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-type":
		h.ContentType = strings.TrimSpace(value)
	case "content-id":
		h.ContentID = strings.Trim(strings.TrimSpace(value), "<>")
	case "content-disposition":
		h.Name = formName(value)
	}
	return nil
}

func formName(disposition string) string {
	for _, param := range splitParams(disposition) {
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), "name") {
			return unquote(strings.TrimSpace(value))
		}
	}
	return ""
}

// isMetadata tells the metadata part from attachments. Its name is "metadata"
// by the book, but clients in use call it "request", or all parts "file".
func (r *partReader) isMetadata(head PartHead) bool {
	if head.Name == "metadata" || head.Name == "request" || head.IsJSON() {
		return true
	}
	first, _ := r.lines.Peek(1)
	return r.count == 1 && string(first) == "{"
}

// content copies a part's content to sink, as far as the delimiter after it or
// the end of the message.
func (r *partReader) content(sink io.Writer) error {
	held := "" // a line end, which belongs to the delimiter if one follows
	lineStart := true
	for {
		chunk, err := r.lines.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
			return err
		}
		if lineStart && r.delimits(chunk) {
			return nil
		}
		if held, err = passOn(sink, held, chunk, err); err != nil {
			return r.end(sink, held, err)
		}
		lineStart = strings.HasSuffix(held, "\n")
	}
}

// passOn writes what was held and the chunk, and holds back the chunk's own line
// end. Only errors that end the part are returned.
func passOn(sink io.Writer, held string, chunk []byte, err error) (string, error) {
	if err == bufio.ErrBufferFull {
		err = nil
	}
	if held == "\r" && string(chunk) == "\n" { // a CRLF that lay across two chunks
		return "\r\n", err
	}
	text := bytes.TrimSuffix(chunk, []byte("\n"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	for _, piece := range [][]byte{[]byte(held), text} {
		if _, failed := sink.Write(piece); failed != nil {
			return "", failed
		}
	}
	return string(chunk[len(text):]), err
}

// end is for a part that no delimiter follows: tolerated, the line end held back
// was content then.
func (r *partReader) end(sink io.Writer, held string, err error) error {
	if err != io.EOF {
		return err
	}
	r.ended = true
	_, err = io.WriteString(sink, held)
	return err
}

func (r *partReader) delimits(line []byte) bool {
	found, last := delimits(line, r.delimiter)
	r.ended = last
	return found
}

// delimits reports whether a line is a delimiter, and whether it is the last.
func delimits(line []byte, delimiter string) (found, last bool) {
	rest, found := bytes.CutPrefix(line, []byte(delimiter))
	if !found {
		return false, false
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	last = string(rest) == "--"
	return last || len(rest) == 0, last
}
