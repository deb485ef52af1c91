package compare

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The short way to E.164 ends where the library's way does.
func TestShortWayToE164(t *testing.T) {
	took := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		text.WriteString(rapid.SampledFrom([]string{"+7", "7", "8", "", "+", "+8", "+ 7", "(", "-", " +7", "+7 7", "79", "++7", "(+7", "+7+"}).Draw(t, "start"))
		text.WriteString(rapid.SampledFrom([]string{"9", " (9", "9", "8", "-9", "", "(9)", "99"}).Draw(t, "first"))
		for range rapid.SampledFrom([]int{9, 9, 9, 8, 10, 7, 2}).Draw(t, "digits") {
			text.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "-", "(", ") ", "--"}).Draw(t, "between"))
			text.WriteByte(byte('0' + rapid.IntRange(0, 9).Draw(t, "digit")))
		}
		text.WriteString(rapid.SampledFrom([]string{"", "", "", " ", ")", "#", ";", "x1", " -"}).Draw(t, "end"))
		short := russianMobile(text.String())
		took[short != ""]++
		if library := libraryE164(text.String()); short != "" && short != library {
			t.Errorf("%q: %q, by the library %q", text.String(), short, library)
		}
	})
	if took[true] == 0 || took[false] == 0 {
		t.Errorf("the short way was taken %d times, and not %d times", took[true], took[false])
	}
}

func TestE164(t *testing.T) {
	for text, want := range map[string]string{
		"+79000000011": "+79000000011", "8 (900) 000-00-11": "+79000000011", "9000000011": "+79000000011", "7 900 000 00 11": "+79000000011",
		"+79000000011;": "+79000000011", "+79000000011\n": "+79000000011", "89000000011 (": "+79000000011",
		"8-800-FLOWERS": "+78003569377", "1234567": "+71234567", "+44 20 7946 0958": "+442079460958",
		"": "", ";": "", "12": "", "abc": "", "+7900000001111111111": "", "890000000111": "",
	} {
		if got := e164(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, whole, first, last string }{
		{"", "", "", ""},
		{" \t", "", "", ""},
		{" Анна ", "Анна", "Анна", ""},
		{"Анна  Петрова", "Анна Петрова", "Анна", "Петрова"},
		{"Петров Пётр Петрович", "Петров Пётр Петрович", "Пётр", "Петров"},
		{"ПЕТРОВА АННА СЕРГЕЕВНА", "ПЕТРОВА АННА СЕРГЕЕВНА", "АННА", "ПЕТРОВА"},
		{"Петрова Анна Ильинична", "Петрова Анна Ильинична", "Анна", "Петрова"},
		{"Мамедов Рашид Ахмед оглы", "Мамедов Рашид Ахмед оглы", "Рашид", "Мамедов"},
		{"Алиева Лейла Рашид Кызы", "Алиева Лейла Рашид Кызы", "Лейла", "Алиева"},
		{"Рашид Ахмед оглы", "Рашид Ахмед оглы", "Рашид", "Ахмед оглы"},
		{"Петров Пётр Петрович мл", "Петров Пётр Петрович мл", "Петров", "Пётр Петрович мл"},
		{"Анна Петрович", "Анна Петрович", "Анна", "Петрович"},
		{"Jean\u00a0van Dam", "Jean van Dam", "Jean", "van Dam"},
	} {
		first, last := splitName(c.name)
		if whole := collapsed(c.name); whole != c.whole || first != c.first || last != c.last {
			t.Errorf("%q: %q, and %q, %q", c.name, whole, first, last)
		}
	}
}

func TestCurrency(t *testing.T) {
	for text, want := range map[string]string{"rub": "RUB", "Eur": "EUR", "USD": "USD", "gbp": "GBP", "cny": "CNY", "KZT": "", "": "", " rub": "", "rubl": ""} {
		if got := currency(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCanonicalNumber(t *testing.T) {
	negative := 0.0
	for text, n := range map[string]float64{"0": negative * -1, "3": 3, "5.5": 5.5, "-0.1": -0.1, "0.0000001": 1e-7, "100000000000000000000000": 1e23, "55.75": 55.750} {
		if got := canonicalNumber(n); got != text {
			t.Errorf("%v: %q, want %q", n, got, text)
		}
	}
}
