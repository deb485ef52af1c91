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

// plainPhone takes a number of the default region as it is mostly written: ten digits that begin with 3, 4 or 9, as all
// but those of Kazakhstan and of free calls do, alone or behind +7, 7 or 8, perhaps with spaces, parentheses and hyphens
// among them. parsedPhone says the same of it (FuzzPlainPhone), at fifty times the cost.
func plainPhone(phone string) (e164 string, ok bool) {
	const length = len("+79000000000")
	var buffer [length - 1]byte
	digits := buffer[:0]
	plus := false
	for i := range len(phone) {
		c := phone[i]
		switch {
		case c >= '0' && c <= '9':
			if len(digits) == cap(digits) {
				return "", false
			}
			digits = append(digits, c)
		case c == '+' && i == 0:
			plus = true
		case (c == ' ' || c == '(' || c == ')' || c == '-') && i != 0:
		default:
			return "", false
		}
	}
	if len(digits) == cap(digits) && (digits[0] == '7' || digits[0] == '8' && !plus) {
		digits, plus = digits[1:], false
	}
	if len(digits) != length-len("+7") || plus || digits[0] != '3' && digits[0] != '4' && digits[0] != '9' {
		return "", false
	}
	if len(phone) == length && phone[0] == '+' {
		return phone, true
	}
	var out [length]byte
	copy(out[copy(out[:], "+7"):], digits)
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
