package mapping

import "github.com/nyaruka/phonenumbers"

// defaultRegion is where a number without a country code is taken to be.
const defaultRegion = "RU"

// normalizePhone brings a phone number to E.164. ok is false when it is not a possible number.
func normalizePhone(phone string) (e164 string, ok bool) {
	n, err := phonenumbers.Parse(phone, defaultRegion)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}
