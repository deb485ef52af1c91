package mapping

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzKeys: ids are opaque, and yet keys are made of them and read again. For any
// ids, a key gives the ids back, says what it is the key of and what it depends
// on, keeps to its event's partition and range, and is no ledger's or session's.
func FuzzKeys(f *testing.F) {
	for _, id := range []string{"", "e", "/", "%", "%2F", "%25", "%252F", "a/b%c", "%events:0", "%session", "\xff", "билет", "e\x00"} {
		f.Add(id, "o", "r")
		f.Add("e", id, id)
	}
	f.Fuzz(func(t *testing.T, event, order, refund string) {
		keys := []struct {
			key, parent string
			kind        KeyKind
			ids         [3]string
		}{
			{EventKey(event), "", EventKind, [3]string{event}},
			{OrderKey(event, order), EventKey(event), OrderKind, [3]string{event, order}},
			{RefundKey(event, order, refund), OrderKey(event, order), RefundKind, [3]string{event, order, refund}},
		}
		for _, k := range keys {
			e, o, r := IDs(k.key)
			if got := [3]string{e, o, r}; got != k.ids {
				t.Errorf("%q gives the ids %q, it was made of %q", k.key, got, k.ids)
			}
			if KindOf(k.key) != k.kind || ParentKey(k.key) != k.parent {
				t.Errorf("%q is of kind %d below %q", k.key, KindOf(k.key), ParentKey(k.key))
			}
			checkRange(t, event, k.key)
		}
		if got := MemberEvent(MemberKey(order, event)); got != EventKey(event) {
			t.Errorf("the member key of %q names %q", event, got)
		}
	})
}

func checkRange(t *testing.T, event, key string) {
	t.Helper()
	if KeyPrefix(key) != EventKey(event) {
		t.Errorf("%q is in the partition of %q", key, KeyPrefix(key))
	}
	if utf8.ValidString(key) && key >= BehindEvent(EventKey(event)) {
		t.Errorf("%q lies behind its event", key)
	}
	for _, s := range Streams {
		if key == LedgerKey(s, 0) || KindOf(LedgerKey(s, 0)) != LedgerKind {
			t.Errorf("%q is a ledger's", key)
		}
	}
	if key == SessionKey || KindOf(SessionKey) != LedgerKind {
		t.Errorf("%q is a session's", key)
	}
}

// FuzzForeignKey: keys of other programs are read without a panic, too, and lead
// nowhere else: the parent of a key is in the same partition and shorter.
func FuzzForeignKey(f *testing.F) {
	for _, key := range []string{"", "/", "//", "a/b/c/d", "%", "%2", "%2F/%", "%x:y/z", "%events:-1", "\xff/\xfe"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		IDs(key)
		if kind := KindOf(key); kind < LedgerKind || kind > RefundKind {
			t.Errorf("%q is of kind %d", key, kind)
		}
		if p := ParentKey(key); strings.Contains(key, "/") && (KeyPrefix(p) != KeyPrefix(key) || len(p) >= len(key)) {
			t.Errorf("the parent of %q is %q", key, p)
		}
		if s, ok := ledgerStream(key); ok && KindOf(LedgerKey(s, 1)) != LedgerKind {
			t.Errorf("%q is the ledger of %s", key, s)
		}
	})
}
