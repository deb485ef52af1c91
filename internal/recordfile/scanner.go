package recordfile

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON from a line, as far as record files use it: objects,
// strings, integers and null. Every method skips white space first. Errors tell
// the column (in bytes, from 1) and never what stands there.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("column %d: %w", s.at+1, fmt.Errorf(format, args...))
}

// peek returns the next byte, 0 at the end of the line.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(want byte) bool {
	if s.peek() != want {
		return false
	}
	s.at++
	return true
}

func (s *scanner) null() bool {
	if s.peek() != 'n' || !bytes.HasPrefix(s.data[s.at:], []byte("null")) {
		return false
	}
	s.at += len("null")
	return true
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.at < len(s.data) {
		return s.errorf("something follows the record")
	}
	return nil
}

// object reads an object; member must read the value that follows each name.
func (s *scanner) object(member func(name []byte) error) error {
	if !s.take('{') {
		return s.errorf("want an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.stringValue()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.errorf(`want ":"`)
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.errorf(`want "," or "}"`)
		}
	}
}

// integer reads an integer of the given size in bits, without a fraction or an
// exponent.
func (s *scanner) integer(bits int) (int64, error) {
	s.peek()
	start := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || isDigit(s.data[s.at])) {
		s.at++
	}
	digits := s.data[start:s.at]
	positive := bytes.TrimPrefix(digits, []byte("-"))
	leadingZero := len(positive) > 1 && positive[0] == '0'
	fraction := s.at < len(s.data) && bytes.IndexByte([]byte(".eE"), s.data[s.at]) >= 0
	n, err := strconv.ParseInt(string(digits), 10, bits)
	if err != nil || leadingZero || fraction {
		s.at = start
		return 0, s.errorf("want an integer of %d bits", bits)
	}
	return n, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// stringValue reads a string. The result is valid UTF-8 and may share memory
// with the line.
func (s *scanner) stringValue() ([]byte, error) {
	if !s.take('"') {
		return nil, s.errorf("want a string")
	}
	rest := s.data[s.at:]
	end := bytes.IndexAny(rest, `"\`)
	if end < 0 {
		return nil, s.errorf("the string has no end")
	}
	if rest[end] == '\\' {
		return s.escapedString()
	}
	text := rest[:end]
	if err := s.checkRaw(text); err != nil {
		return nil, err
	}
	s.at += end + 1
	return text, nil
}

// checkRaw checks what stands between two escapes; it begins at s.at.
func (s *scanner) checkRaw(text []byte) error {
	for i, c := range text {
		if c < ' ' {
			s.at += i
			return s.errorf("a control character must be escaped")
		}
	}
	if !utf8.Valid(text) {
		return s.errorf("the string is not UTF-8")
	}
	return nil
}

// escapedString reads the rest of a string that has escapes.
func (s *scanner) escapedString() ([]byte, error) {
	var text []byte
	for {
		rest := s.data[s.at:]
		end := bytes.IndexAny(rest, `"\`)
		if end < 0 {
			return nil, s.errorf("the string has no end")
		}
		if err := s.checkRaw(rest[:end]); err != nil {
			return nil, err
		}
		text = append(text, rest[:end]...)
		s.at += end + 1
		if rest[end] == '"' {
			return text, nil
		}
		r, err := s.escape()
		if err != nil {
			return nil, err
		}
		text = utf8.AppendRune(text, r)
	}
}

var errSurrogate = errors.New("half of a surrogate pair")

// escape reads what follows a backslash.
func (s *scanner) escape() (rune, error) {
	if s.at == len(s.data) {
		return 0, s.errorf("the string has no end")
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return s.unicodeEscape()
	default:
		return 0, s.errorf("no such escape")
	}
}

func (s *scanner) unicodeEscape() (rune, error) {
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
		return 0, s.errorf("%w", errSurrogate)
	}
	s.at += len(`\u`)
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	r = utf16.DecodeRune(r, low)
	if r == utf8.RuneError {
		return 0, s.errorf("%w", errSurrogate)
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	if len(s.data)-s.at < 4 {
		return 0, s.errorf("the string has no end")
	}
	n, err := strconv.ParseUint(string(s.data[s.at:s.at+4]), 16, 16)
	if err != nil {
		return 0, s.errorf("want four hexadecimal digits")
	}
	s.at += 4
	return rune(n), nil
}
