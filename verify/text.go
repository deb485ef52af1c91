package verify

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// normalPhone gives E.164 with default region RU; false for what is not a possible
// number (decision 11). What stands behind the last digit is cut off first, where
// a letter is a digit, too: libphonenumber reads letters as on a telephone's keys,
// and cuts off only signs that are neither letters nor numbers nor "#".
func normalPhone(text string) (string, bool) {
	end := strings.LastIndexFunc(text, func(r rune) bool {
		return r == '#' || unicode.IsLetter(r) || unicode.IsNumber(r)
	})
	if end < 0 {
		return "", false
	}
	_, size := utf8.DecodeRuneInString(text[end:])
	number, err := phonenumbers.Parse(text[:end+size], "RU")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}

// wholeName is a customer's name in edition 1.0.
func wholeName(name string) string { return strings.Join(strings.Fields(name), " ") }

// firstAndLast are a customer's name in edition 2.0.
func firstAndLast(name string) (first, last string) {
	words := strings.Fields(name)
	switch n := len(words); {
	case n == 0:
		return "", ""
	case n == 1:
		return words[0], ""
	case n == 3 && isPatronymic(words[2]):
		return words[1], words[0]
	case n == 4 && isPatronymicParticle(words[3]): // "Мамедов Рашид Ахмед оглы"
		return words[1], words[0]
	default:
		return words[0], strings.Join(words[1:], " ")
	}
}

func isPatronymic(word string) bool {
	word = strings.ToLower(word)
	for _, ending := range []string{"ич", "вна", "чна"} {
		if strings.HasSuffix(word, ending) {
			return true
		}
	}
	return false
}

func isPatronymicParticle(word string) bool {
	word = strings.ToLower(word)
	return word == "оглы" || word == "кызы"
}

// currencies are those that slim tickets may be in.
var currencies = []string{"USD", "EUR", "RUB", "GBP", "CNY"}

// slimCurrency is a partner's currency on a ticket, "" for any but the five.
func slimCurrency(currency string) string {
	upper := strings.ToUpper(currency)
	for _, known := range currencies {
		if upper == known {
			return known
		}
	}
	return ""
}

// isSoleTrader tells ru_lp from ru_ltd where no type says it.
func isSoleTrader(ogrnip, inn string) bool {
	if ogrnip != "" {
		return true
	}
	return len(inn) == 12 && strings.Trim(inn, "0123456789") == ""
}
