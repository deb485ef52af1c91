package slim

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string, escaped as encoding/json does with
// SetEscapeHTML(false): quote, backslash, the control characters below U+0020
// and the line separators U+2028 and U+2029; a byte that is not UTF-8 becomes
// the escape of U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
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
	dst = append(dst, s[clean:]...)
	return append(dst, '"')
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
