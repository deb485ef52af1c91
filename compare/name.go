package compare

import "strings"

// splitName divides a whole name as edition 2.0 does (contract/mapping.md, Order,
// first_name and last_name). The patronymic of "last first patronymic" is dropped.
func splitName(whole string) (first, last string) {
	words := strings.Fields(whole)
	if n := len(words); n == 3 && endsAsPatronymic(words[2]) || n == 4 && followsPatronymic(words[3]) {
		return words[1], words[0]
	}
	if len(words) == 0 {
		return "", ""
	}
	return words[0], strings.Join(words[1:], " ")
}

func endsAsPatronymic(word string) bool {
	word = strings.ToLower(word)
	return strings.HasSuffix(word, "ич") || strings.HasSuffix(word, "вна") || strings.HasSuffix(word, "чна")
}

func followsPatronymic(word string) bool {
	return strings.EqualFold(word, "оглы") || strings.EqualFold(word, "кызы")
}
