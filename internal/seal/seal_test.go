package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// secret is a line's key, made up from its id.
func secret(id string) string {
	sum := sha256.Sum256([]byte("a key of the tests: " + id))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func keysOf(t interface {
	Helper()
	Fatal(...any)
}, ids ...string,
) *Keys {
	t.Helper()
	var lines bytes.Buffer
	for _, id := range ids {
		lines.WriteString(id + " " + secret(id) + "\n")
	}
	keys, err := parse(lines.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func drawFacts(t *rapid.T) *statepb.OrderFacts {
	text := rapid.String()
	f := &statepb.OrderFacts{Id: text.Draw(t, "id"), Event: text.Draw(t, "event"), Number: rapid.Int64().Draw(t, "number")}
	if rapid.Bool().Draw(t, "customer") {
		f.Customer = &statepb.Customer{Name: text.Draw(t, "name"), Email: text.Draw(t, "email"), Phone: text.Draw(t, "phone")}
	}
	for range rapid.IntRange(0, 4).Draw(t, "tickets") {
		f.Tickets = append(f.Tickets, &statepb.Ticket{
			Id: text.Draw(t, "ticket"), Barcode: text.Draw(t, "barcode"), Serial: text.Draw(t, "serial"), Set: text.Draw(t, "set"),
			Row: text.Draw(t, "row"), Seat: text.Draw(t, "seat"), Number: rapid.Int64().Draw(t, "n"), Nominal: rapid.Int64().Draw(t, "nominal"),
		})
	}
	return f
}

// What is sealed opens as it was, under each key of the file, and only where it belongs.
func TestSealAndOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys, turned, other := keysOf(t, "k1", "k2"), keysOf(t, "k2", "k1"), keysOf(t, "k3")
		want, at := drawFacts(t), rapid.String().Draw(t, "at")
		sealed := proto.CloneOf(want)
		if err := keys.Seal(at, sealed); err != nil {
			t.Fatal(err)
		}
		if KeyOf(sealed) != "k1" || sealed.Customer != nil {
			t.Fatalf("sealed as %v", sealed)
		}
		for i, ticket := range sealed.Tickets {
			if ticket.Barcode != "" || ticket.Serial != "" || ticket.Set != want.Tickets[i].Set {
				t.Fatalf("ticket %d stays as %v", i, ticket)
			}
		}
		again := proto.CloneOf(want)
		if err := keys.Seal(at, again); err != nil || !proto.Equal(again, sealed) {
			t.Fatalf("sealed again: %v, %v, want %v", again, err, sealed)
		}
		if err := turned.Seal(at, again); err == nil {
			t.Fatal("sealed facts were sealed")
		}
		for name, k := range map[string]*Keys{"the same keys": keys, "another sealing key": turned} {
			got := proto.CloneOf(sealed)
			if err := k.Open(at, got); err != nil || !proto.Equal(got, want) {
				t.Fatalf("%s: opened as %v, %v, want %v", name, got, err, want)
			}
			if err := k.Open(at, got); err != nil || !proto.Equal(got, want) {
				t.Fatalf("%s: what is open: %v", name, err)
			}
		}
		broken := proto.CloneOf(sealed)
		i := rapid.IntRange(0, len(broken.Sealed.Text)-1).Draw(t, "byte")
		broken.Sealed.Text[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		short := proto.CloneOf(sealed)
		short.Sealed.Text = short.Sealed.Text[:rapid.IntRange(0, len(short.Sealed.Text)-1).Draw(t, "length")]
		renamed := proto.CloneOf(sealed)
		renamed.Sealed.Key = "k2"
		fewer := proto.CloneOf(sealed)
		fewer.Tickets = append(fewer.Tickets, &statepb.Ticket{})
		for _, c := range []struct {
			name string
			keys *Keys
			at   string
			f    *statepb.OrderFacts
			want string
		}{
			{"a changed text", keys, at, broken, "do not open"},
			{"a text cut short", keys, at, short, "do not open"},
			{"another order's", keys, at + "x", proto.CloneOf(sealed), "do not open"},
			{"under the name of another key", keys, at, renamed, "do not open"},
			{"another number of tickets", keys, at, fewer, "not those of its tickets"},
			{"a key that is not there", other, at, proto.CloneOf(sealed), `"k1", which encryption.keys_file has not`},
			{"no keys", nil, at, proto.CloneOf(sealed), "set encryption.keys_file"},
		} {
			before := proto.CloneOf(c.f)
			err := c.keys.Open(c.at, c.f)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%s: %v, want %q", c.name, err, c.want)
			}
			if !proto.Equal(before, c.f) {
				t.Fatalf("%s: the facts are changed to %v", c.name, c.f)
			}
		}
	})
}

// Different texts, and the same texts of different orders, have different nonces.
func TestNonces(t *testing.T) {
	keys, seen := keysOf(t, "k1"), map[string]string{}
	for _, c := range []struct{ at, name string }{{"e/o", "Anna"}, {"e/o", "Anne"}, {"e/p", "Anna"}, {"e", "/oAnna"}, {"", "e/oAnna"}} {
		f := &statepb.OrderFacts{Customer: &statepb.Customer{Name: c.name}}
		if err := keys.Seal(c.at, f); err != nil {
			t.Fatal(err)
		}
		nonce := string(f.Sealed.Text[:nonceSize])
		if other, twice := seen[nonce]; twice {
			t.Errorf("%s of %s has the nonce of %s", c.name, c.at, other)
		}
		seen[nonce] = c.name + " of " + c.at
	}
}

func TestNoKeysSealNothing(t *testing.T) {
	var keys *Keys
	f := &statepb.OrderFacts{Customer: &statepb.Customer{Name: "Anna"}}
	if err := keys.Seal("e/o", f); err != nil || f.Customer.GetName() != "Anna" || keys.Sealing() != "" || KeyOf(f) != "" {
		t.Errorf("%v, %v", f, err)
	}
	if err := keysOf(t, "k1").Seal("e/o", nil); err != nil {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	good := "# the newest first\n\n  k2 " + secret("k2") + "\r\nk1\t" + secret("k1")
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if keys.Sealing() != "k2" || len(keys.byID) != 2 {
		t.Errorf("%s seals, of %d keys", keys.Sealing(), len(keys.byID))
	}
	if _, err := Load(path + "-not-there"); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "no key"},
		"comments alone":   {"# k1 " + secret("k1"), "no key"},
		"a key alone":      {secret("k1"), "line 1: want the id"},
		"three words":      {"k1 " + secret("k1") + " x", "line 1: want the id"},
		"an id of spaces":  {"k/1 " + secret("k1"), "line 1: want the id"},
		"a short key":      {"\nk1 " + base64.StdEncoding.EncodeToString(make([]byte, 16)), "line 2: the key is not 32 bytes"},
		"not base64":       {"k1 Zm9v!", "line 1: the key is not 32 bytes"},
		"an id twice":      {"k1 " + secret("k1") + "\nk1 " + secret("k2"), "line 2: key k1 is there twice"},
		"a key twice":      {"k1 " + secret("k1") + "\nk2 " + secret("k1"), "line 2: key k2 is the same as key k1"},
		"a line too long":  {"k1 " + strings.Repeat("A", 1<<17), "too long"},
		"something binary": {"\x00\xff\xfe", "line 1: want the id"},
	} {
		keys, err := parse([]byte(c.text))
		if err == nil || keys != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if strings.Contains(err.Error(), secret("k1")) {
			t.Errorf("%s: the error shows a key: %v", name, err)
		}
	}
}

// Whatever stands in a record opens or gives an error.
func FuzzOpen(f *testing.F) {
	keys := keysOf(f, "k1", "k2")
	facts := &statepb.OrderFacts{Customer: &statepb.Customer{Name: "Anna"}, Tickets: []*statepb.Ticket{{Barcode: "460001"}}}
	if err := keys.Seal("e/o", facts); err != nil {
		f.Fatal(err)
	}
	f.Add("e/o", "k1", facts.Sealed.Text, 1)
	f.Add("e/o", "k2", facts.Sealed.Text, 1)
	f.Add("", "", []byte{}, 0)
	f.Fuzz(func(t *testing.T, at, id string, text []byte, tickets int) {
		facts := &statepb.OrderFacts{Sealed: &statepb.Sealed{Key: id, Text: text}}
		for range min(max(tickets, 0), 10) {
			facts.Tickets = append(facts.Tickets, &statepb.Ticket{})
		}
		if err := keys.Open(at, facts); (err == nil) != (facts.Sealed == nil) {
			t.Errorf("%v, and the facts are %v", err, facts)
		}
	})
}

// Whatever stands in a file is taken for keys or gives an error that shows none of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("k1 " + secret("k1") + "\nk2 " + secret("k2")))
	f.Add([]byte("# nothing\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parse(data)
		if (err == nil) != (keys != nil && keys.sealing != nil) {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

func benchFacts() *statepb.OrderFacts {
	return &statepb.OrderFacts{
		Id: "6650a0b1c2d3e4f5a6b7c8d9", Event: "6650a0b1c2d3e4f5a6b7c8d0",
		Customer: &statepb.Customer{Name: "Anna Ivanova", Email: "anna@example.com", Phone: "+79000000001"},
		Tickets:  []*statepb.Ticket{{Id: "6650a0b1c2d3e4f5a6b7c8d1", Barcode: "4600000000017", Serial: "AB", Set: "6650a0b1c2d3e4f5a6b7c8d2"}},
	}
}

// An order is sealed and opened again: twice that is done for a row that is read and written.
func BenchmarkSealAndOpen(b *testing.B) {
	keys, f := keysOf(b, "k1"), benchFacts()
	b.ReportAllocs()
	for b.Loop() {
		if err := keys.Seal("6650a0b1c2d3e4f5a6b7c8d0/6650a0b1c2d3e4f5a6b7c8d9", f); err != nil {
			b.Fatal(err)
		}
		if err := keys.Open("6650a0b1c2d3e4f5a6b7c8d0/6650a0b1c2d3e4f5a6b7c8d9", f); err != nil {
			b.Fatal(err)
		}
	}
}
