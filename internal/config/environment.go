package config

import (
	"regexp"
	"slices"
	"strings"
)

func (l *loader) environment(env []string) {
	values := make(map[string]string)
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) {
			values[name] = value // of repeated names the last one counts, as everywhere
		}
	}
	for _, k := range keys {
		name := k.env()
		if value, ok := values[name]; ok {
			l.apply(k, name, value)
			delete(values, name)
		}
	}
	l.unknownVariables(values)
}

func (l *loader) unknownVariables(values map[string]string) {
	var unknown []string
	for name, value := range values {
		if !isServiceLink(name, value) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		l.problem(name, "", "there is no such variable"+suggestion(name, allEnv()))
	}
}

// Kubernetes puts variables for every Service of the namespace into each
// container. Those of a Service called vibe-bridge, or vibe-bridge-anything,
// begin as ours do.
var (
	serviceVariable = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	serviceURL      = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

func isServiceLink(name, value string) bool {
	if serviceVariable.MatchString(name) {
		return true
	}
	// VIBE_BRIDGE_PORT could also be somebody's guess at a key; Kubernetes gives
	// it a URL.
	return strings.HasSuffix(name, "_PORT") && serviceURL.MatchString(value)
}
