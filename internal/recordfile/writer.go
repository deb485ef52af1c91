package recordfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Writer writes records to a file.
//
// Invariant: a file has its name only when it is whole. Until Close succeeds
// the records are in a temporary file beside it, ".<name>.<random>.partial".
type Writer struct {
	name   string
	output *bufio.Writer
	zip    *gzip.Writer // nil: plain
	file   *os.File     // nil: not ours to close
	final  string       // what file is renamed to; "": it has its name
	line   []byte
	count  int64
	err    error // the first error of Write; Close then discards the file
	closed bool
}

const writeBufferBytes = 256 << 10

// Create starts a record file; "-" writes to stdout. A regular file at path is
// replaced by Close; anything else there (a pipe, a device) is written to.
//
// The caller ends with Close, and defers Discard for the way out on an error.
func Create(path string, stdout io.Writer) (*Writer, error) {
	if path == "-" {
		return newWriter("standard output", stdout), nil
	}
	w, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("write records: %w", err)
	}
	return w, nil
}

func create(path string) (*Writer, error) {
	final := path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		final = target // a link stays a link
	}
	info, err := os.Stat(final)
	if err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(final, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return ownFile(newZippedWriter(path, file), file, ""), nil
	}
	file, err := os.CreateTemp(filepath.Dir(final), "."+filepath.Base(final)+".*.partial")
	if err != nil {
		return nil, named(err, path)
	}
	return ownFile(newZippedWriter(path, file), file, final), nil
}

// named is why a file cannot be created, with the name that was given instead of the temporary one.
func named(err error, path string) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return &fs.PathError{Op: "create", Path: path, Err: at.Err}
	}
	return err
}

func ownFile(w *Writer, file *os.File, final string) *Writer {
	w.file, w.final = file, final
	return w
}

// NewWriter writes plain lines to w, which stays open.
func NewWriter(w io.Writer) *Writer { return newWriter("records", w) }

func newWriter(name string, w io.Writer) *Writer {
	return &Writer{name: name, output: bufio.NewWriterSize(w, writeBufferBytes)}
}

func newZippedWriter(name string, w io.Writer) *Writer {
	if !strings.HasSuffix(name, ".gz") {
		return newWriter(name, w)
	}
	zip := gzip.NewWriter(w) // no name and no time in its header: same records, same bytes
	out := newWriter(name, zip)
	out.zip = zip
	return out
}

// Write writes one record. A record that could not be read again (see the
// package documentation for the bounds) is an error that shows no content.
// After an error the file is lost: Close will discard it.
func (w *Writer) Write(r Record) error {
	if w.err == nil {
		w.err = w.write(&r)
	}
	return w.err
}

func (w *Writer) write(r *Record) error {
	if w.closed {
		return fmt.Errorf("write records: %s is closed", w.name)
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("write records: record %d: %w", w.count+1, err)
	}
	w.line = appendRecord(w.line[:0], r)
	if len(w.line) > MaxLineBytes {
		return fmt.Errorf("write records: record %d (%s/%d/%d) takes %d bytes; the most is %d", w.count+1, r.Topic, r.Partition, r.Offset, len(w.line), MaxLineBytes)
	}
	w.line = append(w.line, '\n')
	if _, err := w.output.Write(w.line); err != nil {
		return fmt.Errorf("write records: %s: %w", w.name, err)
	}
	if cap(w.line) > writeBufferBytes {
		w.line = nil
	}
	w.count++
	return nil
}

// Flush hands what was written on to the file or stream, for a reader that
// waits at its other end. Close does it too.
func (w *Writer) Flush() error {
	if w.err == nil {
		if err := w.flush(); err != nil {
			w.err = fmt.Errorf("write records: %s: %w", w.name, err)
		}
	}
	return w.err
}

// Count is the number of records written.
func (w *Writer) Count() int64 { return w.count }

// Close finishes the file and gives it its name. If that fails, or a Write has
// failed, there is no file, and a file that was there before stays.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	if w.err == nil {
		w.err = w.finish()
	}
	w.discard()
	return w.err
}

// Discard gives the file up. After Close it does nothing.
func (w *Writer) Discard() {
	if w.err == nil && !w.closed {
		w.err = fmt.Errorf("write records: %s was discarded", w.name)
	}
	w.discard()
}

func (w *Writer) finish() error {
	if err := w.finishStream(); err != nil {
		return fmt.Errorf("write records: %s: %w", w.name, err)
	}
	if w.file == nil {
		return nil
	}
	if err := w.closeFile(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

func (w *Writer) flush() error {
	if err := w.output.Flush(); err != nil || w.zip == nil {
		return err
	}
	return w.zip.Flush()
}

func (w *Writer) finishStream() error {
	if err := w.output.Flush(); err != nil || w.zip == nil {
		return err
	}
	return w.zip.Close()
}

func (w *Writer) closeFile() error {
	file := w.file
	if w.final == "" {
		w.file = nil
		return file.Close()
	}
	// Without the sync, a machine that loses power could keep the name and lose
	// the content.
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), w.final); err != nil {
		return err
	}
	w.file = nil
	return nil
}

// discard removes what finish did not hand over.
func (w *Writer) discard() {
	w.closed = true
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	if w.final != "" {
		_ = os.Remove(w.file.Name())
	}
	w.file = nil
}
