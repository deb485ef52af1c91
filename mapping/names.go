package mapping

import "strings"

// collapse trims a name and makes every run of white space inside it one space.
func collapse(name string) string {
	if isCollapsed(name) {
		return name
	}
	return strings.Join(strings.Fields(name), " ")
}

// isCollapsed tells names that collapse leaves as they are, nearly all. It may be false for others of those: control
// characters are in doubt, and what begins with the first byte of a white space beyond ASCII, as no Russian letter does.
func isCollapsed(name string) bool {
	space := true // or the beginning
	for i := range len(name) {
		c := name[i]
		switch {
		case c < ' ', c == ' ' && space, c == 0xc2, c >= 0xe1 && c <= 0xe3:
			return false
		}
		space = c == ' '
	}
	return !space || name == ""
}

// splitName divides a collapsed full name into first and last name as edition
// 2.0 wants it (mapping contract, Order, first_name and last_name).
func splitName(name string) (first, last string) {
	words := strings.Fields(name)
	switch {
	case len(words) == 0:
		return "", ""
	case len(words) == 1:
		return words[0], ""
	case isLastFirstPatronymic(words):
		return words[1], words[0]
	}
	return words[0], strings.Join(words[1:], " ")
}

// isLastFirstPatronymic recognises "Last First Patronymic", where the
// patronymic either has a Russian ending or is followed by оглы or кызы.
func isLastFirstPatronymic(words []string) bool {
	switch len(words) {
	case 3:
		w := strings.ToLower(words[2])
		return strings.HasSuffix(w, "ич") || strings.HasSuffix(w, "вна") || strings.HasSuffix(w, "чна")
	case 4:
		w := strings.ToLower(words[3])
		return w == "оглы" || w == "кызы"
	}
	return false
}
