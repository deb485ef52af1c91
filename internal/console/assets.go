package console

import "embed"

//go:embed assets/index.html assets/console.js assets/console.css
var assets embed.FS
