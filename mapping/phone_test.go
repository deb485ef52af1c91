package mapping

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// What is taken for plain is what the library makes of it.
func TestPlainPhone(t *testing.T) {
	for _, phone := range []string{"+79000000001", "89000000001", "+7 (900) 000-00-01", "8 900 000 00 01", "8-900-000-00-01", "+73430000001", "+7(900)0000001 ",
		"79000000001", "7 900 000-00-01", "9000000001", "900 000-00-01", "3430000001"} {
		plain, ok := plainPhone(phone)
		if parsed, possible := parsedPhone(phone); !ok || !possible || plain != parsed {
			t.Errorf("%q: plain %q, %t; parsed %q, %t", phone, plain, ok, parsed, possible)
		}
	}
	for _, phone := range []string{
		"", "+", "8", "+9000000001", "900000001", "7000000001", "8000000001", "77000000001", "76000000000", "+7900000000", "+790000000011", "88000000001", "+78005553535", "+77010000001", "+380440000001",
		"(8)9000000001", " 89000000001", "+79000000001x", "89000000001#1", "++79000000001", "8+9000000001", "+87900000000", "8900000000\u0661",
	} {
		if plain, ok := plainPhone(phone); ok {
			t.Errorf("%q is taken for %q", phone, plain)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		phone := rapid.StringMatching(`(\+7|8|7|)[ (]{0,2}[0-9]{3}[ )-]{0,2}[0-9]{3}-?[0-9]{2}[ -]?[0-9]{1,3}[ )-]?`).Draw(t, "phone")
		samePhone(t, phone)
	})
}

// A number in E.164 stays the text that it is.
func TestNormalPhoneAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { normalizePhone("+79000000001") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func samePhone(t interface{ Fatal(...any) }, phone string) {
	plain, ok := plainPhone(phone)
	if !ok {
		return
	}
	if parsed, possible := parsedPhone(phone); !possible || parsed != plain {
		t.Fatal(fmt.Sprintf("%q: plain %q; parsed %q, %t", phone, plain, parsed, possible))
	}
}

func FuzzPlainPhone(f *testing.F) {
	for _, phone := range []string{"+79000000001", "89000000001", "+7 (900) 000-00-01", "8--(900)0000001", "+)79000000001",
		"79000000001", "9000000001", "900 000 00 01", "+9000000001", "3000000001", "7 (900) 000-00-01"} {
		f.Add(phone)
	}
	f.Fuzz(func(t *testing.T, phone string) { samePhone(t, phone) })
}

func BenchmarkNormalizePhone(b *testing.B) {
	for name, normalize := range map[string]func(string) (string, bool){"plain": normalizePhone, "parsed": parsedPhone} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := normalize("+7 900 000-00-01"); !ok {
					b.Fatal("not possible")
				}
			}
		})
	}
}
