// Package personal shows personal texts by their shape.
//
// What belongs here: how a text is shown to somebody who may not see it. What does not: which texts are personal.
package personal

import (
	"strings"
	"unicode"
)

// Shape puts 9 for every digit and a or A for every letter, which is enough to see what
// is wrong with a phone number.
func Shape(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsDigit(c):
			return '9'
		case unicode.IsUpper(c):
			return 'A'
		case unicode.IsLetter(c) || unicode.IsMark(c):
			return 'a'
		case c < unicode.MaxASCII:
			return c
		}
		return '?'
	}, text)
}
