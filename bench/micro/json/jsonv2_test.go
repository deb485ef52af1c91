//go:build goexperiment.jsonv2

package json

import (
	jsonv2 "encoding/json/v2"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func init() {
	variants = append(variants, variant{"std-v2", func(_ *slim.Order, v any) ([]byte, error) { return jsonv2.Marshal(v) }})
	differences["\u2028"]["std-v2"] = "\u2028"
	differences["№ — \u2027\u2029"]["std-v2"] = "№ — \u2027\u2029"
	differences["a\xffb"]["std-v2"] = "refused"
	differences["a\xffb"]["std"] = "a\ufffdb" // the sign itself, where slim and encoding/json without v2 write its escape
}
