package avs

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const formB = "multipart/form-data; boundary=B"

// scanned is a part as a scanner reported it.
type scanned struct {
	Head     PartHead
	Body     []byte
	Ended    bool
	Complete bool
}

// scan writes a message to a scanner in pieces of that length and closes it.
func scan(contentType, message string, length int) []scanned {
	var parts []scanned
	scanner := NewPartScanner(contentType, recorder(&parts))
	for rest := []byte(message); len(rest) > 0; {
		// A copy, which is cleared after the call.
		piece := bytes.Clone(rest[:min(length, len(rest))])
		rest = rest[len(piece):]
		scanner.Write(piece)
		clear(piece)
	}
	scanner.Close()
	scanner.Close()
	return parts
}

func recorder(parts *[]scanned) PartHandler {
	last := func() *scanned { return &(*parts)[len(*parts)-1] }
	return PartHandler{
		Begin: func(head PartHead) { *parts = append(*parts, scanned{Head: head}) },
		Data:  func(p []byte) { last().Body = append(last().Body, p...) },
		End: func(complete bool) {
			if last().Ended {
				panic("a part ended twice")
			}
			last().Ended, last().Complete = true, complete
		},
	}
}

// sloppy are messages as clients and the service write them.
var sloppy = map[string]string{
	"by the book":             crlf("--B", "Content-Type: application/json", "", "{}", "--B", `Content-Disposition: form-data; name="audio"`, "", "RI\r\r\n\n--FF\r\n--x", "--B--", ""),
	"line feeds":              "\n" + lf("--B", "Content-Type: application/json", "", "{}", "--B", "X: y", "", "RIFF\n", "--B--", ""),
	"both line ends":          lf("--B", "X: y", "", "{}") + crlf("", "--B", "", "RIFF", "--B--"),
	"final dashes missing":    crlf("--B", "", "{}", "--B", "", "RIFF", "--B", ""),
	"final delimiter missing": crlf("--B", "", "{}", "--B", "", "RIFF", ""),
	"preamble and epilogue":   crlf("hello --B", "--Bye", "--B \t", "", "{}", "--B", "", "--", "--B- ", "--B--- ", "--B-- ", "bye", "--B", "", "no part"),
	"empty parts":             crlf("--B", "X: y", "", "--B", "", "", "--B--"),
	"nothing":                 "",
	"no part":                 "--B--",
	"long lines":              crlf("--B", "", strings.Repeat("x", 40<<10), "--B", "", "-"+strings.Repeat("\r", 300), "--B--"),
}

// sloppyBodies are the contents of their parts.
var sloppyBodies = map[string][]string{
	"by the book":             {"{}", "RI\r\r\n\n--FF\r\n--x"},
	"line feeds":              {"{}", "RIFF\n"},
	"both line ends":          {"{}", "RIFF"},
	"final dashes missing":    {"{}", "RIFF"},
	"final delimiter missing": {"{}", "RIFF\r\n"},
	"preamble and epilogue":   {"{}", "--\r\n--B- \r\n--B--- "},
	"empty parts":             {"", ""},
	"long lines":              {strings.Repeat("x", 40<<10), "-" + strings.Repeat("\r", 300)},
}

func TestPartScannerFindsTheSamePartsInPiecesOfAnySize(t *testing.T) {
	for name, message := range sloppy {
		whole := scan(formB, message, len(message))
		var got []string
		for _, part := range whole {
			got = append(got, string(part.Body))
		}
		if diff := cmp.Diff(sloppyBodies[name], got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, length := range []int{1, 2, 3, 5, 7, 11, 64, 1000} {
			if got := scan(formB, message, length); !reflect.DeepEqual(got, whole) {
				t.Errorf("%s in pieces of %d: got  %+v\nwant %+v", name, length, got, whole)
			}
		}
	}
}

func TestPartScannerReportsHeaders(t *testing.T) {
	message := crlf("--B", "content-type:Application/JSON; charset=UTF-8", "Content-ID: <a.b@c>", "", "{}",
		"--B", `Content-Disposition: form-data; name='audio'`, "", "RIFF")
	want := []scanned{
		{PartHead{Raw: []byte("content-type:Application/JSON; charset=UTF-8\r\nContent-ID: <a.b@c>\r\n"), ContentType: "Application/JSON; charset=UTF-8", ContentID: "a.b@c"}, []byte("{}"), true, true},
		{PartHead{Raw: []byte("Content-Disposition: form-data; name='audio'\r\n"), Name: "audio"}, []byte("RIFF"), true, false},
	}
	for _, contentType := range []string{formB, "multipart/related; boundary=B; type=application/json", `multipart/related; type="a;b"; boundary='B'`} {
		if diff := cmp.Diff(want, scan(contentType, message, 4)); diff != "" {
			t.Errorf("%s: %s", contentType, diff)
		}
	}
}

// The service sends the delimiter line with the part and may then be silent for an
// hour.
func TestPartEndsWithItsDelimiterLine(t *testing.T) {
	for _, cut := range []int{0, 1, 2, 3, 4, 5} {
		var parts []scanned
		scanner := NewPartScanner(formB, recorder(&parts))
		io.WriteString(scanner, "--B\r\n\r\n{}")
		line := "\r\n--B\r\n"
		io.WriteString(scanner, line[:cut])
		if parts[0].Ended {
			t.Fatalf("ended after %q", line[:cut])
		}
		io.WriteString(scanner, line[cut:])
		if !parts[0].Ended || !parts[0].Complete || string(parts[0].Body) != "{}" {
			t.Errorf("cut at %d: %+v", cut, parts[0])
		}
	}
}

func TestPartScannerSkipsMalformedParts(t *testing.T) {
	good := crlf("--B", "X: y", "", "good", "--B--")
	for name, bad := range map[string]string{
		"no blank line":    crlf("--B", "no header", "", "bad", ""),
		"delimiter inside": crlf("--B", "X: y", ""),
		"endless header":   "--B\r\nX: " + strings.Repeat("x", maxPartHead) + "\r\n\r\nbad\r\n",
		"endless headers":  "--B\r\n" + strings.Repeat("X: y\r\n", maxPartHeaders+1) + "\r\nbad\r\n",
		"endless blanks":   "--B" + strings.Repeat(" ", 2*maxPadding) + "\r\nbad\r\n",
	} {
		for _, length := range []int{1, 1000, 1 << 20} {
			got := scan(formB, bad+good, length)
			if len(got) != 1 || string(got[0].Body) != "good" {
				t.Errorf("%s in pieces of %d: %d parts", name, length, len(got))
			}
		}
	}
}

func TestPartScannerOfWhatIsNotMultipart(t *testing.T) {
	for _, contentType := range []string{"", "application/json", "multipart/related"} {
		scanner := NewPartScanner(contentType, PartHandler{})
		if n, err := scanner.Write([]byte("{}")); scanner != nil || n != 2 || err != nil {
			t.Errorf("%q: %v, %d, %v", contentType, scanner, n, err)
		}
		scanner.Close()
	}
	scanner := NewPartScanner(formB, PartHandler{}) // no functions
	io.WriteString(scanner, crlf("--B", "", "{}", "--B--"))
	scanner.Close()
}

func TestPartScannerHoldsNoContent(t *testing.T) {
	var size int
	scanner := NewPartScanner(formB, PartHandler{Data: func(p []byte) { size += len(p) }})
	io.WriteString(scanner, "--B\r\n\r\n")
	chunk := bytes.Repeat([]byte("x\r\n--BB\n-"), 8<<10)
	if allocated := testing.AllocsPerRun(20, func() { scanner.Write(chunk) }); allocated > 1 {
		t.Errorf("%v allocations for a chunk", allocated)
	}
	if size < 20*len(chunk) || cap(scanner.line) > 2*maxPadding {
		t.Errorf("reported %d bytes, buffers %d", size, cap(scanner.line))
	}
}

// FuzzPartScanner checks that the pieces of a message do not matter, and that parts
// written by mime/multipart are found.
func FuzzPartScanner(f *testing.F) {
	for _, message := range sloppy {
		f.Add(message, "body", uint16(1))
	}
	f.Add("--B\r\nX: y\r\n--B\n\n\r", "\r\n--B\r\n--B--", uint16(3))
	f.Fuzz(func(t *testing.T, message, body string, length uint16) {
		pieces := max(1, int(length))
		whole := scan(formB, message, max(1, len(message)))
		if got := scan(formB, message, pieces); !reflect.DeepEqual(got, whole) {
			t.Errorf("got  %+v\nwant %+v", got, whole)
		}
		var b bytes.Buffer
		w := multipart.NewWriter(&b) // its boundary cannot be guessed
		for i := range 2 {
			part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Type": {fmt.Sprint(i)}})
			io.WriteString(part, body)
		}
		w.Close()
		got := scan(w.FormDataContentType(), b.String(), pieces)
		for i, part := range got {
			if part.Head.ContentType != fmt.Sprint(i) || string(part.Body) != body || !part.Complete {
				t.Errorf("part %d: %+v", i, part)
			}
		}
		if len(got) != 2 {
			t.Errorf("%d parts", len(got))
		}
	})
}
