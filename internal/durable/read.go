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

// Open opens a file for reading, and returns what Stat tells of it. It does not wait for
// the writer of a pipe.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// ReadFile returns the content of a regular file of at most most bytes. It does not
// wait for a pipe. Every error is an [*fs.PathError].
func ReadFile(path string, most int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: TooLarge(most)}
	}
	return text, err
}
