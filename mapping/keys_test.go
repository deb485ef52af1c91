package mapping

import "testing"

// Ids are opaque: whatever they hold comes back from the key.
func TestIDsOfAKey(t *testing.T) {
	ids := []string{"", "e", "a/b", "%", "%2F", "%25", "/", "я\x00", "a%2Fb/c"}
	for _, e := range ids {
		if event, order, refund := IDs(EventKey(e)); event != e || order != "" || refund != "" {
			t.Errorf("of event %q: %q %q %q", e, event, order, refund)
		}
		for _, o := range ids {
			if event, order, refund := IDs(OrderKey(e, o)); event != e || order != o || refund != "" {
				t.Errorf("of order %q of %q: %q %q %q", o, e, event, order, refund)
			}
			if event, order, refund := IDs(RefundKey(e, o, "r/%")); event != e || order != o || refund != "r/%" {
				t.Errorf("of a refund of %q of %q: %q %q %q", o, e, event, order, refund)
			}
		}
	}
}
