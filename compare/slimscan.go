package compare

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth of JSON that is read; the contract needs 3.
const maxDepth = 500

// jsonText is JSON (RFC 8259) on its way through a reader, from one value to the next.
// s is UTF-8.
//
// Once broken it stays so: more is false then, and nothing that is read counts.
type jsonText struct {
	s      string
	i      int
	depth  int
	first  bool // an object or array has just been opened
	broken bool
}

// peek is the next byte, 0 at the end.
func (t *jsonText) peek() byte {
	if t.i < len(t.s) {
		return t.s[t.i]
	}
	return 0
}

func (t *jsonText) space() {
	for t.i < len(t.s) {
		switch t.s[t.i] {
		case ' ', '\t', '\r', '\n':
			t.i++
		default:
			return
		}
	}
}

// open goes into the object or array that begins here.
func (t *jsonText) open() {
	t.i++
	t.first = true
	if t.depth++; t.depth > maxDepth {
		t.broken = true
	}
}

// more goes to the next member or element, or behind the end of what holds it.
func (t *jsonText) more(end byte) bool {
	t.space()
	first := t.first
	t.first = false
	switch c := t.peek(); {
	case t.broken:
	case c == end:
		t.i++
		t.depth--
	case first:
		return true
	case c == ',':
		t.i++
		t.space()
		return true
	default:
		t.broken = true
	}
	return false
}

// member reads a member's name and goes to its value.
func (t *jsonText) member() (name string, ok bool) {
	name = t.text()
	t.space()
	if t.peek() != ':' {
		t.broken = true
	}
	t.i++
	t.space()
	return name, !t.broken
}

// text reads a string.
func (t *jsonText) text() string {
	if t.peek() != '"' {
		t.broken = true
		return ""
	}
	t.i++
	begin := t.i
	for ; t.i < len(t.s); t.i++ {
		switch c := t.s[t.i]; {
		case c == '"':
			t.i++
			return t.s[begin : t.i-1]
		case c == '\\':
			return t.escapedText(begin)
		case c < ' ':
			t.broken = true
			return ""
		}
	}
	t.broken = true
	return ""
}

// escapedText reads the string that began at begin, from its first backslash on.
func (t *jsonText) escapedText(begin int) string {
	var b strings.Builder
	b.WriteString(t.s[begin:t.i])
	for t.i < len(t.s) {
		c := t.s[t.i]
		t.i++
		switch {
		case c == '"':
			return b.String()
		case c == '\\':
			b.WriteRune(t.escape())
		case c < ' ':
			t.broken = true
			return ""
		default:
			b.WriteByte(c)
		}
	}
	t.broken = true
	return ""
}

// escape reads what follows a backslash. Half a surrogate pair is U+FFFD.
func (t *jsonText) escape() rune {
	c := t.peek()
	t.i++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		high := t.hex()
		if !utf16.IsSurrogate(high) {
			return high
		}
		if at := t.i; strings.HasPrefix(t.s[at:], `\u`) {
			t.i += 2
			if r := utf16.DecodeRune(high, t.hex()); r != utf8.RuneError {
				return r
			}
			t.i = at // another character
		}
		return utf8.RuneError
	}
	t.broken = true
	return utf8.RuneError
}

// hex reads four digits.
func (t *jsonText) hex() (r rune) {
	for range 4 {
		c := t.peek()
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			t.broken = true
			return utf8.RuneError
		}
		t.i++
	}
	return r
}

// numeral reads a number, as it is written.
func (t *jsonText) numeral() string {
	begin := t.i
	if t.peek() == '-' {
		t.i++
	}
	if t.peek() == '0' {
		t.i++
	} else {
		t.digits()
	}
	if t.peek() == '.' {
		t.i++
		t.digits()
	}
	if c := t.peek(); c == 'e' || c == 'E' {
		t.i++
		if c := t.peek(); c == '+' || c == '-' {
			t.i++
		}
		t.digits()
	}
	return t.s[begin:t.i]
}

// digits reads at least one.
func (t *jsonText) digits() {
	begin := t.i
	for '0' <= t.peek() && t.peek() <= '9' {
		t.i++
	}
	if t.i == begin {
		t.broken = true
	}
}

// skip reads a value of any type, and returns it as it is written.
func (t *jsonText) skip() string {
	begin := t.i
	switch c := t.peek(); c {
	case '{':
		t.open()
		for t.more('}') {
			if _, ok := t.member(); ok {
				t.skip()
			}
		}
	case '[':
		t.open()
		for t.more(']') {
			t.skip()
		}
	case '"':
		t.text()
	case 't':
		t.word("true")
	case 'f':
		t.word("false")
	case 'n':
		t.word("null")
	default:
		t.numeral()
	}
	return t.s[begin:min(t.i, len(t.s))]
}

func (t *jsonText) word(word string) {
	if !strings.HasPrefix(t.s[t.i:], word) {
		t.broken = true
		return
	}
	t.i += len(word)
}
