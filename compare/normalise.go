package compare

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// normaliser makes a canonical text of legacy fields; the texts are those of the
// record wherever they can be.
type normaliser struct {
	takes []legacyKind // of its inputs, in their order
	list  bool         // it reads its input of all items
	text  func(m *legacyMessage, in []legacyField) string
}

// normalisers by their words in fields.tsv.
var normalisers = map[string]normaliser{
	"text":     {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string { return m.of(in[0]).text }},
	"borrowed": {takes: []legacyKind{kindText}, text: func(*legacyMessage, []legacyField) string { return "" }},
	// The first, as long as there is the second.
	"first_with_second": {takes: []legacyKind{kindText, kindText}, text: firstWithSecond},
	"decimal":           {takes: []legacyKind{kindInteger}, text: decimal},
	"decimal_unless_0":  {takes: []legacyKind{kindInteger}, text: decimalUnless0},
	"seconds":           {takes: []legacyKind{kindTime}, text: seconds},
	"milliseconds":      {takes: []legacyKind{kindTime}, text: milliseconds},
	"joined":            {takes: []legacyKind{kindText}, list: true, text: joined},

	"event_status":   {takes: []legacyKind{kindEnum}, text: eventStatus},
	"own_legal_type": {takes: []legacyKind{kindEnum, kindText, kindText}, text: ownLegalType},
	"legal_type":     {takes: []legacyKind{kindText, kindText}, text: legalType},
	"currency":       {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string { return currency(m.of(in[0]).text) }},
	"phone":          {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string { return m.e164(m.of(in[0]).text) }},
	"collapsed":      {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string { return collapsed(m.of(in[0]).text) }},
	"first_name": {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string {
		first, _ := splitName(m.of(in[0]).text)
		return first
	}},
	"last_name": {takes: []legacyKind{kindText}, text: func(m *legacyMessage, in []legacyField) string {
		_, last := splitName(m.of(in[0]).text)
		return last
	}},

	"content_type":   {text: func(m *legacyMessage, _ []legacyField) string { return m.options.ContentType }},
	"schema_version": {text: func(m *legacyMessage, _ []legacyField) string { return m.options.SchemaVersion }},
	"application_id": {text: func(m *legacyMessage, _ []legacyField) string { return m.options.ApplicationID }},
}

func firstWithSecond(m *legacyMessage, in []legacyField) string {
	if m.of(in[1]).text == "" {
		return ""
	}
	return m.of(in[0]).text
}

func decimal(m *legacyMessage, in []legacyField) string {
	return strconv.FormatInt(m.of(in[0]).number, 10)
}

func decimalUnless0(m *legacyMessage, in []legacyField) string {
	if m.of(in[0]).number == 0 {
		return ""
	}
	return decimal(m, in)
}

// seconds and milliseconds are Unix time; what is no time is absent.
func seconds(m *legacyMessage, in []legacyField) string {
	if v := m.of(in[0]); v.isTime() {
		return strconv.FormatInt(v.number, 10)
	}
	return ""
}

func milliseconds(m *legacyMessage, in []legacyField) string {
	if v := m.of(in[0]); v.isTime() {
		return strconv.FormatInt(v.number*1000+int64(v.nanos/1_000_000), 10)
	}
	return ""
}

// joined are the ids of all items, without the empty ones, separated by a space.
func joined(m *legacyMessage, in []legacyField) string {
	if len(m.items) == 1 {
		return listedID(m.items[0][in[0].slot].text)
	}
	size := 0
	for _, item := range m.items {
		size += len(item[in[0].slot].text) + 1
	}
	var all strings.Builder
	all.Grow(size)
	for _, item := range m.items {
		text := listedID(item[in[0].slot].text)
		if all.Len() > 0 && text != "" {
			all.WriteByte(' ')
		}
		all.WriteString(text)
	}
	return all.String()
}

// listedID is an id as a list has it, which a space separates from the next: ids are
// opaque, and may have one.
func listedID(id string) string {
	if !strings.ContainsAny(id, " %") {
		return id
	}
	return listEscape.Replace(id)
}

var listEscape = strings.NewReplacer(" ", "%20", "%", "%25")

// eventStatus are the words of the contract. One that it does not name is paused.
func eventStatus(m *legacyMessage, in []legacyField) string {
	switch m.enumName(in[0]) {
	case "PUBLIC":
		return "active"
	case "CANCELED":
		return "cancelled"
	case "FINISHED":
		return "finished"
	}
	return "paused"
}

// enumName is "" for a number that the schema does not have.
func (m *legacyMessage) enumName(in legacyField) string {
	if v := in.enum.ByNumber(protoreflect.EnumNumber(m.of(in).number)); v != nil {
		return string(v.Name())
	}
	return ""
}

const soleTrader, company = "ru_lp", "ru_ltd"

// ownLegalType is by type, ogrnip and inn of an event's own requisites. LTD is the
// enum's zero, so that it stands also where no type was written.
func ownLegalType(m *legacyMessage, in []legacyField) string {
	switch m.enumName(in[0]) {
	case "LTD":
		return company
	case "IP":
		return soleTrader
	}
	return legalType(m, in[1:])
}

// legalType is by ogrnip and inn: those of people have 12 digits, of companies 10.
func legalType(m *legacyMessage, in []legacyField) string {
	ogrnip, inn := m.of(in[0]).text, m.of(in[1]).text
	if ogrnip != "" || len(inn) == 12 && allDigits(inn) {
		return soleTrader
	}
	return company
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// currency is what slim tickets may be in, else absent.
func currency(text string) string {
	switch code := strings.ToUpper(text); code {
	case "USD", "EUR", "RUB", "GBP", "CNY":
		return code
	}
	return ""
}

// e164 is a phone number in E.164, "" for what is not a possible one. The last result
// is kept: a check asks for it before the cell does.
func (m *legacyMessage) e164(text string) string {
	if text != m.phoneOf {
		m.phoneOf, m.phone = text, e164(text)
	}
	return m.phone
}

// e164 takes the short way where there is one: the library's takes longer than all the
// rest of an order.
func e164(text string) string {
	if number := russianMobile(text); number != "" {
		return number
	}
	return libraryE164(text)
}

// libraryE164 cuts off what cannot end a number: a letter can, as on a telephone's keys,
// and "#" can (decision 11).
func libraryE164(text string) string {
	number, err := phonenumbers.Parse(strings.TrimRightFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '#'
	}), "RU")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return ""
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// russianMobile reads numbers as nearly everybody writes them: +7, 8, 7 or nothing, a 9
// and nine more digits, with spaces, hyphens and brackets anywhere between. Of any other
// text it gives "". A test holds it against the library.
func russianMobile(text string) string {
	digits := make([]byte, 0, 11)
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if len(digits) == cap(digits) {
				return ""
			}
			digits = append(digits, c)
		case c == '+' && i == 0, c == ' ', c == '-', c == '(', c == ')':
		default:
			return ""
		}
	}
	international := strings.HasPrefix(text, "+")
	switch {
	case len(digits) == 11 && digits[0] == '7' && digits[1] == '9', len(digits) == 11 && digits[0] == '8' && digits[1] == '9' && !international:
		digits = digits[1:]
	case len(digits) == 10 && digits[0] == '9' && !international:
	default:
		return ""
	}
	if international && len(text) == len("+79000000000") {
		return text
	}
	return "+7" + string(digits)
}

// collapsed is a text without outer white space, and with one space for each inner one.
func collapsed(text string) string {
	words := strings.Fields(text)
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words, " ")
}
