package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, currentVersion())
			return err
		},
	}
}

// version is what a binary knows of its origin. Unknown parts are "".
type version struct {
	module   string // of the module: a release, or "(devel)"
	revision string // of the version control
	time     string // of the revision, RFC 3339
	modified bool   // there were uncommitted changes
}

func currentVersion() version {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version{}
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) version {
	v := version{module: info.Main.Version}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.revision = setting.Value
		case "vcs.time":
			v.time = setting.Value
		case "vcs.modified":
			v.modified = setting.Value == "true"
		}
	}
	return v
}

// String is one line: vibe-bridge v1.2.3 (revision 0123456789ab, 2026-01-02T03:04:05Z) go1.26 linux/amd64
func (v version) String() string {
	module := v.module
	if module == "" {
		module = "(unknown version)"
	}
	parts := []string{"vibe-bridge", module}
	if v.revision != "" {
		parts = append(parts, "("+v.source()+")")
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}

func (v version) source() string {
	const shortRevision = 12
	source := "revision " + v.revision[:min(shortRevision, len(v.revision))]
	if v.time != "" {
		source += ", " + v.time
	}
	if v.modified {
		source += ", with uncommitted changes"
	}
	return source
}
