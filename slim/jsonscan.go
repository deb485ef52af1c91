package slim

import (
	"bytes"
	"encoding/json"
)

// Scanning of text that is known to be valid JSON: openRecord has checked it.
// Nothing here checks syntax again, and nothing here may be called before.

// cutValue cuts the value that b begins with, in b without white space before.
func cutValue(b []byte) (value, rest []byte) {
	end := 0
	switch b[0] {
	case '"':
		end = stringEnd(b)
	case '{', '[':
		end = nestedEnd(b)
	default:
		end = literalEnd(b)
	}
	return b[:end:end], b[end:]
}

// stringEnd returns the length of the string that b begins with.
func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++ // the escaped byte is no quote that ends the string
		case '"':
			return i + 1
		}
	}
}

// nestedEnd returns the length of the object or array that b begins with.
func nestedEnd(b []byte) int {
	depth := 0
	for i := 0; ; {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// literalEnd returns the length of the number, true, false or null that b
// begins with.
func literalEnd(b []byte) int {
	if end := bytes.IndexAny(b, ",]} \t\r\n"); end >= 0 {
		return end
	}
	return len(b)
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// skipComma skips to the next element or to the end of what holds it.
func skipComma(b []byte) []byte {
	b = skipSpace(b)
	if b[0] == ',' {
		b = skipSpace(b[1:])
	}
	return b
}

func readText(value []byte) (text string, ok bool) {
	if value[0] != '"' {
		return "", false // json.Unmarshal would take null
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	err := json.Unmarshal(value, &text)
	return text, err == nil
}

func isNumber(value []byte) bool {
	return value[0] == '-' || '0' <= value[0] && value[0] <= '9'
}
