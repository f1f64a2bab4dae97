package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is the error for a folder, a pipe or a device in the place of a file.
var ErrNotRegular = errors.New("it is not a regular file")

// TooLarge is the error for a file with more than this number of bytes.
type TooLarge int64

func (most TooLarge) Error() string { return fmt.Sprintf("it is larger than %d KiB", int64(most)>>10) }

// ReadFile returns the content of a regular file of at most most bytes. It does not
// wait for a pipe. Every error is an [*fs.PathError].
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // do not wait for the writer of a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: TooLarge(most)}
	}
	return text, err
}
