package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/spf13/cobra"
)

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, currentVersion().identified())
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

// identified is String, with a digest of the program itself where its origin does not
// tell it from others: a topic that one version has paused is resumed by another.
func (v version) identified() string {
	released := v.module != "" && v.module != "(devel)"
	if (v.revision != "" || released) && !v.modified {
		return v.String()
	}
	digest, err := executableDigest()
	if err != nil { // deleted while it runs
		return v.String()
	}
	return v.String() + " (build " + digest + ")"
}

// executableDigest is the beginning of the program file's SHA-256.
var executableDigest = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
})

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
