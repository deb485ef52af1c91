package main

import "golang.org/x/text/language"

func main() {
	tag, err := language.Parse("ru")
	println(tag.String(), err)
}
