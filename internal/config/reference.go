package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Value is a key with what it is set to.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`  // "(hidden)" for a secret that is set
	Origin string `json:"origin"` // "bridge.yaml:12", "VIBE_BRIDGE_PARTITIONS", "--partitions", or "default"
}

// Effective is Load, and beside the configuration each of its values with where it comes from, in the order of the example file.
func Effective(path string, env []string, flags *pflag.FlagSet) (Config, []Value, error) {
	l, err := loadAll(path, env, flags)
	if err != nil {
		return Config{}, nil, err
	}
	var values []Value
	for _, k := range keys {
		v := Value{Key: k.path, Value: text(k, &l.config), Origin: l.origins[k.path]}
		if v.Origin == "" {
			v.Origin = "default"
		}
		values = append(values, v)
	}
	return l.config, values, nil
}

// text is what a key is set to; of a secret, that it is.
func text(k key, c *Config) string {
	if secret, ok := k.field(c).(*kafka.Secret); ok {
		return secret.String()
	}
	return format(k.field(c))
}

// Reference is a Markdown table of every key: its name in the file, its default, what it means.
func Reference() string {
	defaults := Default()
	var b strings.Builder
	b.WriteString("| key | kind | default | |\n|---|---|---|---|\n")
	for _, k := range keys {
		kind, value, usage := kindOf(k.field(&defaults)), text(k, &defaults), k.usage
		switch {
		case k.secret:
			kind, value, usage = "secret", "", "the password; from the environment alone: "+k.env()
		case value == "":
			value = "-"
		default:
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.path, kind, value, strings.ReplaceAll(usage, "|", "\\|"))
	}
	return b.String()
}
