package terminal

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// A wrapper breaks lines between words where they are wider than the terminal, which would break
// them anywhere.
type wrapper struct {
	io.Writer
	width func() int // of the terminal, in columns; 0 = unknown
	holds bool       // a line is held until its end comes
	held  []byte
}

// Wrap returns out, or where that is a terminal, a writer that breaks long lines between words. Lines that people
// copy, such as those that begin with curl, stay whole.
func Wrap(out io.Writer) io.Writer { return wrap(out, false) }

// WrapLines is Wrap for what comes in pieces of lines, and is no prompt. The last line must have its end.
func WrapLines(out io.Writer) io.Writer { return wrap(out, true) }

func wrap(out io.Writer, holds bool) io.Writer {
	file, ok := out.(*os.File)
	if !ok || !IsTerminal(file) {
		return out
	}
	return &wrapper{Writer: out, holds: holds, width: func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}}
}

// Write takes what has no line end yet for a prompt, or holds it.
func (w *wrapper) Write(p []byte) (int, error) {
	if !w.holds {
		return len(p), w.write(p)
	}
	w.held = append(w.held, p...)
	end := bytes.LastIndexByte(w.held, '\n') + 1
	err := w.write(w.held[:end])
	w.held = append(w.held[:0], w.held[end:]...)
	return len(p), err
}

func (w *wrapper) write(p []byte) error {
	width := w.width()
	if width <= 0 {
		_, err := w.Writer.Write(p)
		return err
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(p)) {
		text, ended := strings.CutSuffix(line, "\n")
		if ended && !isCopied(text) {
			text = wrapLine(text, width)
		}
		out.WriteString(text)
		if ended {
			out.WriteByte('\n')
		}
	}
	_, err := w.Writer.Write(out.Bytes())
	return err
}

// isCopied reports whether people copy a line as a whole.
func isCopied(line string) bool {
	bare := strings.TrimLeft(line, " $")
	if strings.HasPrefix(bare, "http") {
		return true
	}
	for _, command := range []string{"curl ", "avsproxy ", "go "} {
		if bare != line && strings.HasPrefix(bare, command) {
			return true
		}
	}
	return false
}

// wrapLine breaks a line before the words that do not fit. The rest is indented by two columns more, but in prose.
func wrapLine(line string, width int) string {
	if columns(line) <= width {
		return line
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	switch {
	case len(indent) > width/2:
		indent = "  "
	case indent != "" || !isProse(line):
		indent += "  "
	}
	var out strings.Builder
	used := 0
	for i, word := range splitWords(line) {
		gap := word[:len(word)-len(strings.TrimLeft(word, " "))]
		bare := word[len(gap):]
		if i > 0 && used+len(gap)+columns(bare) > width && used > len(indent) {
			out.WriteString("\n" + indent)
			used, gap = len(indent), ""
		}
		out.WriteString(gap + bare)
		used += len(gap) + columns(bare)
	}
	return out.String()
}

// isProse reports whether a line is one of several in a text, and no message of its own.
func isProse(line string) bool {
	return !strings.HasPrefix(line, "avsproxy:") && line[0] != '\x1b' && (line[0] < '0' || line[0] > '9')
}

// splitWords cuts a line before each run of spaces that is in no 'quotes', which are commands as a rule.
func splitWords(line string) []string {
	var words []string
	start, quoted := 0, false
	for i := 1; i < len(line); i++ {
		if line[i] == '\'' && (quoted || line[i-1] == ' ') {
			quoted = !quoted
		}
		if line[i] == ' ' && line[i-1] != ' ' && !(quoted && strings.IndexByte(line[i:], '\'') > 0) {
			words = append(words, line[start:i])
			start = i
		}
	}
	return append(words, line[start:])
}

// columns is how wide a text is without the sequences that color it.
func columns(text string) int {
	n := 0
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			_, text, _ = strings.Cut(rest, "m")
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}
