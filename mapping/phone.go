package mapping

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// defaultRegion is where a number without a country code is taken to be.
const defaultRegion = "RU"

// normalizePhone brings a phone number to E.164. ok is false when it is not a possible number.
func normalizePhone(phone string) (e164 string, ok bool) {
	if plain, ok := plainPhone(phone); ok {
		return plain, true
	}
	return parsedPhone(phone)
}

// plainPhone takes a number of the default region as it is mostly written: +7 or 8 and ten digits, of which the first is
// neither a trunk prefix nor one that no number begins with, perhaps with spaces, parentheses and hyphens among them.
// parsedPhone says the same of it (FuzzPlainPhone), at fifty times the cost.
func plainPhone(phone string) (e164 string, ok bool) {
	const length = len("+79000000000")
	var out [length]byte
	n := 0
	for i := range len(phone) {
		c := phone[i]
		switch {
		case c >= '0' && c <= '9':
			if n == 0 {
				if c != '8' {
					return "", false
				}
				out[0], out[1] = '+', '7'
				n = 2
				continue
			}
			if n == length || n == 1 && c != '7' {
				return "", false
			}
			out[n] = c
			n++
		case c == '+' && i == 0:
			out[0] = c
			n = 1
		case c == ' ' || c == '(' || c == ')' || c == '-':
			if i == 0 {
				return "", false
			}
		default:
			return "", false
		}
	}
	if n != length || out[2] < '3' || out[2] == '7' || out[2] == '8' {
		return "", false
	}
	if string(out[:]) == phone {
		return phone, true
	}
	return string(out[:]), true
}

func parsedPhone(phone string) (e164 string, ok bool) {
	n, err := phonenumbers.Parse(strings.TrimRightFunc(phone, endsNumber), defaultRegion)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// endsNumber tells signs that cannot be the end of a number. libphonenumber
// cuts them off; its Go port intends to, with a pattern that Go reads in
// another way, and then refuses a number with a line feed or semicolon behind it.
func endsNumber(r rune) bool {
	return r != '#' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}
