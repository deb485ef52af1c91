package slim

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string, escaped as encoding/json does with
// SetEscapeHTML(false): quote, backslash, the control characters below U+0020
// and the line separators U+2028 and U+2029; a byte that is not UTF-8 becomes
// the escape of U+FFFD.
func appendString(dst []byte, s string) []byte {
	return appendStringBody(append(dst, '"'), s)
}

// appendStringBody is appendString behind the opening quote.
func appendStringBody(dst []byte, s string) []byte {
	if isPlain(s) {
		dst = append(dst, s...)
	} else {
		dst = appendEscaped(dst, s)
	}
	return append(dst, '"')
}

// isPlain tells texts that need no escape, which nearly all are. Letters of two bytes, as Cyrillic ones, are passed at once.
func isPlain(s string) bool {
	for i := plainPrefix(s); i < len(s); {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
			if c < ' ' || c == '"' || c == '\\' {
				return false
			}
			i++
		case c >= 0xc2 && c <= 0xdf && i+1 < len(s) && s[i+1]&0xc0 == 0x80: // U+0080 to U+07FF
			i += 2
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if escapedRune(r, size) != "" {
				return false
			}
			i += size
		}
	}
	return true
}

// plainPrefix returns a length up to which s is ASCII without escapes. Eight bytes at a time are looked at as one number,
// in which the highest bit of each tells of a byte like that.
func plainPrefix(s string) (n int) {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	for ; len(s)-n >= 8; n += 8 {
		b := s[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		// A borrow from a byte below can only make one look like an escape that is none.
		control, quote, backslash := w-' '*ones, (w^'"'*ones)-ones, (w^'\\'*ones)-ones
		if (w|control|quote|backslash)&highest != 0 {
			break
		}
	}
	return n
}

func appendEscaped(dst []byte, s string) []byte {
	clean := 0 // s[clean:i] needs no escape and is not copied yet
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = append(dst, s[clean:i]...)
				dst = appendEscapedASCII(dst, c)
				clean = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if escaped := escapedRune(r, size); escaped != "" {
			dst = append(dst, s[clean:i]...)
			dst = append(dst, escaped...)
			clean = i + size
		}
		i += size
	}
	return append(dst, s[clean:]...)
}

func appendEscapedASCII(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// escapedRune returns how r is escaped, "" when it is written as it is. size
// is the length that r was decoded from: 1 tells a broken byte from a U+FFFD
// that stood in the text.
func escapedRune(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	}
	return ""
}
