package recordfile

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// namePrefix marks a header name that is written in base64.
const namePrefix = "base64:"

// appendRecord appends the line of a record, without a line end.
func appendRecord(line []byte, r *Record) []byte {
	line = append(line, `{"topic":`...)
	line = appendString(line, r.Topic)
	line = append(line, `,"partition":`...)
	line = strconv.AppendInt(line, int64(r.Partition), 10)
	line = append(line, `,"offset":`...)
	line = strconv.AppendInt(line, r.Offset, 10)
	line = append(line, `,"timestamp":`...)
	line = strconv.AppendInt(line, r.Timestamp, 10)
	line = append(line, `,"key":`...)
	line = appendText(line, r.Key)
	line = append(line, `,"headers":`...)
	line = appendHeaders(line, r.Headers)
	line = append(line, `,"value":`...)
	line = appendBase64(line, r.Value)
	return append(line, '}')
}

func appendHeaders(line []byte, headers []Header) []byte {
	line = append(line, '{')
	for i, header := range withoutRepeats(headers) {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendString(line, headerName(header.Key))
		line = append(line, ':')
		line = appendText(line, header.Value)
	}
	return append(line, '}')
}

// withoutRepeats keeps of each name the first place and the last value.
func withoutRepeats(headers []Header) []Header {
	if len(headers) < 2 {
		return headers
	}
	kept := make([]Header, 0, len(headers))
	places := make(map[string]int, len(headers)) // a record may carry a million headers
	for _, header := range headers {
		if place, repeated := places[header.Key]; repeated {
			kept[place].Value = header.Value
			continue
		}
		places[header.Key] = len(kept)
		kept = append(kept, header)
	}
	return kept
}

func headerName(key string) string {
	if utf8.ValidString(key) && !strings.HasPrefix(key, namePrefix) {
		return key
	}
	return namePrefix + base64.StdEncoding.EncodeToString([]byte(key))
}

// appendText appends a string, {"base64":"…"} for bytes that are not UTF-8, or
// null.
func appendText(line, text []byte) []byte {
	if text == nil {
		return append(line, "null"...)
	}
	if utf8.Valid(text) {
		return appendString(line, text)
	}
	line = append(line, `{"base64":`...)
	line = appendBase64(line, text)
	return append(line, '}')
}

func appendBase64(line, data []byte) []byte {
	if data == nil {
		return append(line, "null"...)
	}
	line = append(line, '"')
	line = base64.StdEncoding.AppendEncode(line, data)
	return append(line, '"')
}

// appendString appends a JSON string. text must be UTF-8.
func appendString[T string | []byte](line []byte, text T) []byte {
	const hex = "0123456789abcdef"
	line = append(line, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			line = append(line, '\\', c)
		case c < ' ':
			line = append(line, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			line = append(line, c)
		}
	}
	return append(line, '"')
}
