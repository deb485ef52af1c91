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
