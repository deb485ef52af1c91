package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// BindFlags gives flags a flag for every key that may be one. Only the common
// keys show in the help; the others work all the same. Values are checked by
// Load, together with those from the file and the environment.
func BindFlags(flags *pflag.FlagSet) {
	defaults := Default()
	for _, k := range keys {
		if k.secret {
			continue
		}
		value := &flagValue{kind: kindOf(k.field(&defaults)), text: format(k.field(&defaults))}
		flag := flags.VarPF(value, k.flag(), "", k.usage)
		flag.Hidden = !k.common
		if value.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

// flags applies what the user has given. Flags that are no key are the
// command's own.
func (l *loader) flags(flags *pflag.FlagSet) {
	for _, k := range keys {
		flag := flags.Lookup(k.flag())
		if flag == nil || !flag.Changed {
			continue
		}
		if value, ours := flag.Value.(*flagValue); ours {
			l.apply(k, "--"+k.flag(), value.text)
		}
	}
}

// flagValue keeps the text of a flag.
type flagValue struct {
	kind  string
	text  string // the default's at first
	given bool
}

// Set replaces the value; a list grows.
func (v *flagValue) Set(text string) error {
	if v.kind == "list" && v.given {
		text = v.text + "," + text
	}
	v.text, v.given = text, true
	return nil
}

func (v *flagValue) String() string { return v.text }

// Type is the word for the value in the help.
func (v *flagValue) Type() string { return v.kind }

func kindOf(field any) string {
	switch field.(type) {
	case *[]string:
		return "list"
	case *bool:
		return "bool"
	case *time.Duration:
		return "duration"
	case *int, *int16, *int32, *float64:
		return "number"
	default:
		return "string"
	}
}

// format is the inverse of set.
func format(field any) string {
	switch field := field.(type) {
	case *string:
		return *field
	case *[]string:
		return strings.Join(*field, ",")
	case *bool:
		return fmt.Sprint(*field)
	case *int:
		return fmt.Sprint(*field)
	case *int16:
		return fmt.Sprint(*field)
	case *int32:
		return fmt.Sprint(*field)
	case *float64:
		return fmt.Sprint(*field)
	case *time.Duration:
		return field.String()
	default:
		panic(fmt.Sprintf("config: no way to format a %T", field)) // a test formats every key
	}
}
