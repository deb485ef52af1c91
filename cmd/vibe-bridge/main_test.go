package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vibe-bridge": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"refused": refused},
	})
}

// refused runs a command that must end with exit code 2, one line on standard
// error and nothing on standard output.
func refused(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != codeRefused {
		ts.Fatalf("%v: want exit code %d", err, codeRefused)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("standard output is not empty: %q", out)
	}
	if text := ts.ReadFile("stderr"); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("want one line on standard error, got %q", text)
	}
}

// Signals within a second of the first are the same request, however many; one after that does not ask any more.
func TestSignalsOfOneRequestCountOnce(t *testing.T) {
	begin := time.Now()
	for name, c := range map[string]struct {
		after []time.Duration // the first signal
		again bool
	}{
		"one":                        {[]time.Duration{0}, false},
		"many at once":               {[]time.Duration{0, 0, time.Millisecond, sameRequest - 1}, false},
		"one later":                  {[]time.Duration{0, sameRequest}, true},
		"many at once and one later": {[]time.Duration{0, 0, sameRequest}, true},
	} {
		signals, over, times, again := make(chan os.Signal), make(chan struct{}), make(chan time.Time), make(chan bool, 1)
		asked := 0
		go func() {
			again <- heedSignals(signals, over, func() time.Time { return <-times }, func() { asked++ })
		}()
		for _, after := range c.after {
			select {
			case signals <- os.Interrupt:
				times <- begin.Add(after)
			case <-again:
				t.Fatalf("%s: a second request before the signal after %s", name, after)
			}
		}
		if !c.again {
			close(over)
		}
		if got := <-again; got != c.again || asked != 1 {
			t.Errorf("%s: a second request %t, asked %d times; want %t and once", name, got, asked, c.again)
		}
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{refuse(errors.New("x")), 2},
		{usageError(&cobra.Command{Use: "x"}, errors.New("x")), 2},
		{errors.Join(errors.New("y"), refuse(errors.New("x"))), 2},
		{&config.Error{}, 2},
		{&kafka.ConnectError{}, 2},
		{&codedError{codeChecks, errors.New("x")}, 3},
	}
	for _, tt := range tests {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exit code of %v is %d, want %d", tt.err, got, tt.want)
		}
	}
}

// Go gives the keys of a map in another order each time.
func TestHeadersHaveAnOrder(t *testing.T) {
	headers := map[string][]byte{"d": {4}, "a": {1}, "c": nil, "b": {2}, "e": {}}
	want := []recordfile.Header{{Key: "a", Value: []byte{1}}, {Key: "b", Value: []byte{2}}, {Key: "c"}, {Key: "d", Value: []byte{4}}, {Key: "e", Value: []byte{}}}
	for range 10 {
		if got := fileHeaders(headers); !reflect.DeepEqual(got, want) {
			t.Fatalf("headers are %v", got)
		}
	}
}

// --directory-out is for the bridge to read.
func TestGeneratedDirectoryIsReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	mustRun(t, "generate", "--directory-out", path)
	d, err := directory.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Digest() == directory.Empty().Digest() {
		t.Error("the directory is empty")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestVersion(t *testing.T) {
	settings := func(pairs ...string) (list []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return list
	}
	tests := []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{}, "vibe-bridge (unknown version) go"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "vibe-bridge v1.2.3 go"},
		{debug.BuildInfo{Settings: settings("vcs.revision", "abc")}, "vibe-bridge (unknown version) (revision abc) go"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: settings("vcs.revision", "0123456789abcdef", "vcs.time", "2026-01-02T03:04:05Z", "vcs.modified", "true")},
			"vibe-bridge (devel) (revision 0123456789ab, 2026-01-02T03:04:05Z, with uncommitted changes) go"},
	}
	for _, tt := range tests {
		if got := versionOf(&tt.info).String(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("version is %q, want %q…", got, tt.want)
		}
	}
}
