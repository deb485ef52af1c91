// Package page writes the report of a comparison as one HTML page.
//
// What belongs here: how a report looks, and what of it is said first. What does not:
// counting and judging (package compare), files and flags (cmd).
//
// The page is one file that asks for nothing: style, script and drawings are in it, and
// its content security policy allows these by their hashes and nothing else. Without
// the script everything is shown and nothing can be filtered or copied. All texts of a
// report pass through html/template; there is no other way in.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/ticketscloud/vibe-bridge/compare"
)

var (
	//go:embed page.html
	text string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// policy forbids every request, and every style and script but the page's own: also when
// an escape were forgotten, what a record says would not run.
var policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
	hash(style), hash(script))

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"num":        number,
	"percent":    percent,
	"stamp":      stamp,
	"iso":        iso,
	"len64":      length,
	"leastWidth": func() string { return percent(leastWidth / 100) },
	// The two are elements as a whole: template would strip comments within them, and
	// the hashes are of what is embedded.
	"style":  func() template.HTML { return template.HTML("<style>" + style + "</style>") },
	"script": func() template.HTML { return template.HTML("<script>" + script + "</script>") },
	"policy": func() string { return policy },
}).Parse(text))

// Write writes the page of a report. The same report gives the same bytes. Nothing is
// written when it fails before the end.
func Write(w io.Writer, r *compare.Report) error {
	var out bytes.Buffer
	if err := page.Execute(&out, look(r)); err != nil {
		return fmt.Errorf("write the report's page: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write the report's page: %w", err)
	}
	return nil
}

// hash as a content security policy names it.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
