package recordfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// Reader reads the records of a file one by one.
//
// Invariant: memory does not grow with the file. A Reader holds one line of at
// most MaxLineBytes, and lets go of it when an ordinary one follows.
type Reader struct {
	name    string
	input   *bufio.Reader
	closers []io.Closer
	line    []byte // of Next, reused
	number  int    // of line
	err     error  // the first error; it stays
}

// readBufferBytes also bounds what is kept for the next line.
const readBufferBytes = 256 << 10

// Open opens a record file; "-" reads stdin.
func Open(path string, stdin io.Reader) (*Reader, error) {
	if path == "-" {
		return newReader("standard input", stdin, false)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	r, err := newReader(path, file, strings.HasSuffix(path, ".gz"))
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	r.closers = append(r.closers, file)
	return r, nil
}

// NewReader reads from r, gzip or plain. name says in errors what is read.
func NewReader(name string, r io.Reader) (*Reader, error) {
	return newReader(name, r, false)
}

func newReader(name string, r io.Reader, mustBeGzip bool) (*Reader, error) {
	input := bufio.NewReaderSize(r, readBufferBytes)
	magic, err := input.Peek(2)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read records: %s: %w", name, err)
	}
	isGzip := bytes.Equal(magic, []byte{0x1f, 0x8b}) // no JSON text begins so
	if mustBeGzip && !isGzip {
		return nil, fmt.Errorf("read records: %s: the name ends in .gz, but the content is not gzip", name)
	}
	if !isGzip {
		return &Reader{name: name, input: input}, nil
	}
	unzipped, err := gzip.NewReader(input)
	if err != nil {
		return nil, fmt.Errorf("read records: %s: gzip: %w", name, err)
	}
	return &Reader{
		name:    name,
		input:   bufio.NewReaderSize(unzipped, readBufferBytes),
		closers: []io.Closer{unzipped},
	}, nil
}

// Next returns the next record, or io.EOF after the last. The record is the
// caller's. An error names the file and the line, never what stands in it, and
// is final: Next returns it again.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	record, err := r.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read records: %s: line %d: %w", r.name, r.number, err)
	}
	r.err = err
	return record, err
}

func (r *Reader) next() (Record, error) {
	for {
		if err := r.readLine(); err != nil {
			return Record{}, err
		}
		if line := bytes.TrimSpace(r.line); len(line) > 0 {
			return decodeRecord(r.line)
		}
	}
}

// readLine reads the next line into r.line. The last one may lack its line end:
// if it was cut short it is no record either.
func (r *Reader) readLine() error {
	r.number++
	if cap(r.line) > readBufferBytes {
		r.line = nil
	}
	r.line = r.line[:0]
	for {
		part, err := r.input.ReadSlice('\n')
		r.line = append(r.line, part...)
		if len(r.line) > MaxLineBytes+len("\r\n") {
			return fmt.Errorf("longer than %d MiB", MaxLineBytes>>20)
		}
		switch {
		case err == nil:
			return r.stripLine()
		case err == io.EOF && len(r.line) > 0:
			return r.stripLine()
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the gzip stream is cut off here; the file is not whole")
		case errors.As(err, new(flate.InternalError)): // the error is in the stream
			return errors.New("gzip: the stream is damaged here")
		case err != bufio.ErrBufferFull:
			return err
		}
	}
}

func (r *Reader) stripLine() error {
	r.line = bytes.TrimSuffix(bytes.TrimSuffix(r.line, []byte("\n")), []byte("\r"))
	if r.number == 1 {
		r.line = bytes.TrimPrefix(r.line, []byte("\ufeff"))
	}
	if len(r.line) > MaxLineBytes {
		return fmt.Errorf("longer than %d MiB", MaxLineBytes>>20)
	}
	return nil
}

// All yields the records that are left. After an error, which comes with a zero
// record, there are no more.
func (r *Reader) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			record, err := r.Next()
			if err == io.EOF {
				return
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// Line is the number of the line that Next read last, from 1.
func (r *Reader) Line() int { return r.number }

// Close closes what Open opened; standard input stays open.
func (r *Reader) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c.Close())
	}
	r.closers = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("read records: close %s: %w", r.name, err)
	}
	return nil
}
