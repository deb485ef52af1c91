package page

// Hashes are those of the page's style and script, as a content security policy names them: for a server that shows
// the page within one of its own.
func Hashes() []string { return []string{hash(style), hash(script)} }
