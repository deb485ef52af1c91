// Command vulnerable calls what is known to be vulnerable: .ci/vuln has to find it before it is believed about anything else.
package main

import "golang.org/x/text/language"

func main() {
	tag, err := language.Parse("ru")
	println(tag.String(), err)
}
