package sample

import (
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/compare"
)

func TestParts(t *testing.T) {
	tests := []struct {
		left, right string
		personal    bool
		want        string
	}{
		{"abc", "abd", false, "ab[c]|ab[d]"},
		{"abc", "", false, "[abc]|"},
		{"aXc", "ac", false, "a[X]c|ac"},
		{"+79000000001", "+79000000002", true, "+9999999999[9]|+9999999999[9]"},
		{"\xff\n", "x", false, "[\uFFFD ]|[x]"},
		{strings.Repeat("a", 400) + "b", strings.Repeat("a", 400) + "c", false, "…" + strings.Repeat("a", 60) + "[b]|…" + strings.Repeat("a", 60) + "[c]"},
	}
	for _, tt := range tests {
		l, r := parts(tt.left, tt.right, tt.personal)
		text := ""
		for i, side := range [][]compare.Part{l, r} {
			if i == 1 {
				text += "|"
			}
			for _, p := range side {
				if p.Differs {
					p.Text = "[" + p.Text + "]"
				}
				text += p.Text
			}
		}
		if text != tt.want {
			t.Errorf("parts(%q, %q) = %q, want %q", tt.left, tt.right, text, tt.want)
		}
	}
}
