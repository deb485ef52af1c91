package page

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ticketscloud/vibe-bridge/compare"
)

const nbsp = "\u00a0" // between a number and its unit

// number with a comma between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// percent of a share. It says 0 % and 100 % only when it is exactly that: a difference
// in ten million is not none.
func percent(share float64) string {
	v := share * 100
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v > 0 && v < 0.001:
		return "<" + nbsp + "0.001" + nbsp + "%"
	case v < 100 && v > 99.999:
		return ">" + nbsp + "99.999" + nbsp + "%"
	}
	digits := 1
	if v < 1 || v > 99 {
		digits = 3
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + nbsp + "%"
}

// duration of so many seconds in its two largest units.
func duration(seconds float64) string {
	if seconds < 0 || math.IsNaN(seconds) || math.IsInf(seconds, 0) {
		return "–"
	}
	if seconds < 10 {
		s := strings.TrimSuffix(strconv.FormatFloat(seconds, 'f', 1, 64), ".0")
		return s + nbsp + "s"
	}
	whole := int64(math.Round(seconds))
	units := []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}
	for i, u := range units {
		if whole < u.size {
			continue
		}
		s := number(whole/u.size) + nbsp + u.name
		if i+1 < len(units) {
			if rest := whole % u.size / units[i+1].size; rest > 0 {
				s += " " + number(rest) + nbsp + units[i+1].name
			}
		}
		return s
	}
	return "0" + nbsp + "s"
}

// bytes in MiB, or in GiB from ten on.
func size(bytes int64) string {
	mib := float64(bytes) / (1 << 20)
	if mib >= 10*1024 {
		return strconv.FormatFloat(mib/1024, 'f', 1, 64) + nbsp + "GiB"
	}
	return number(int64(math.Round(mib))) + nbsp + "MiB"
}

// length of any list, for number.
func length(list any) int64 { return int64(reflect.ValueOf(list).Len()) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
func iso(t time.Time) string   { return t.UTC().Format(time.RFC3339) }

// piece of a shown text: as it is, or the name of a character that nobody would see.
type piece struct {
	Text string
	Code bool
}

// pieces make a difference visible that is not to be seen: a no-break space for a space,
// a control character, one that turns the direction of what follows.
func pieces(p compare.Part) []piece {
	var all []piece
	plain := 0
	code := func(at, width int, name string) {
		if at > plain {
			all = append(all, piece{Text: p.Text[plain:at]})
		}
		all = append(all, piece{Text: name, Code: true})
		plain = at + width
	}
	for i, r := range p.Text {
		_, width := utf8.DecodeRuneInString(p.Text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			code(i, width, fmt.Sprintf("\\x%02X", p.Text[i]))
		case r == ' ':
		case r == '\n' && !p.Differs:
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z):
			code(i, width, fmt.Sprintf("U+%04X", r))
		}
	}
	if plain < len(p.Text) {
		all = append(all, piece{Text: p.Text[plain:]})
	}
	return all
}
