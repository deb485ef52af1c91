package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of files that are written.
const (
	readableByOwner fs.FileMode = 0o600 // may hold personal data, or numbers of a business
	readableByAll   fs.FileMode = 0o644 // a directory of venues is public
)

// wholeFile is a file that has its name only when it is whole: a reader, such as
// a running bridge, never sees half of it.
type wholeFile struct {
	*os.File
	final string // what it is renamed to; "": it has its name
}

// createWhole starts a file. A regular file at path is replaced by commit;
// anything else there (a pipe, a device) is written to. The caller ends with
// commit, and defers discard for the way out on an error.
func createWhole(path string, mode fs.FileMode) (*wholeFile, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &wholeFile{File: file}, nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return nil, named(err, path)
	}
	w := &wholeFile{file, path}
	if err := file.Chmod(mode); err != nil {
		w.discard()
		return nil, err
	}
	return w, nil
}

// named is why a file cannot be created, with the name that was given instead of the temporary one.
func named(err error, path string) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return &fs.PathError{Op: "create", Path: path, Err: at.Err}
	}
	return err
}

// commit gives the file its name.
func (w *wholeFile) commit() error {
	if err := w.Close(); err != nil || w.final == "" {
		return err
	}
	return os.Rename(w.Name(), w.final)
}

// discard removes the file; after commit it does nothing.
func (w *wholeFile) discard() {
	_ = w.Close()
	if w.final != "" {
		_ = os.Remove(w.Name())
	}
}

// canBeWritten tells before the work whether its result will find a place; "" is none that is wanted.
func canBeWritten(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // who reads a pipe would take its closing for the end
	}
	w, err := createWhole(path, readableByOwner)
	if err == nil {
		w.discard()
	}
	return err
}

// replaceFile writes a whole file.
func replaceFile(path string, mode fs.FileMode, data []byte) error {
	w, err := createWhole(path, mode)
	if err != nil {
		return err
	}
	defer w.discard()
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.commit()
}

// sameFile tells whether two names lead to one regular file. Names that lead
// nowhere are compared as they are.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errors.Join(errA, errB) == nil {
		return infoA.Mode().IsRegular() && os.SameFile(infoA, infoB)
	}
	return filepath.Clean(a) == filepath.Clean(b)
}
