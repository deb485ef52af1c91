package main

import (
	"os"
	"strings"
	"testing"
)

const configurationPage = "../../docs/configuration.md"

// The page is what the program knows. VIBE_BRIDGE_WRITE=1 writes it.
func TestConfigurationPage(t *testing.T) {
	data, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- keys: vibe-bridge config keys -->\n", "<!-- end of keys -->\n"
	before, rest, found := strings.Cut(string(data), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s lacks %q or %q", configurationPage, begin, end)
	}
	want := before + begin + mustRun(t, "config", "keys").stdout + end + after
	if string(data) == want {
		return
	}
	if os.Getenv("VIBE_BRIDGE_WRITE") == "1" {
		must(t, os.WriteFile(configurationPage, []byte(want), 0o644))
		return
	}
	t.Errorf("%s is not what `vibe-bridge config keys` prints: run this test with VIBE_BRIDGE_WRITE=1", configurationPage)
}

// Each value is shown with where it comes from, and no password in any form.
func TestConfigShow(t *testing.T) {
	d := &deployment{t: t, folder: t.TempDir()}
	d.write("bridge.yaml", "source: {brokers: [\"legacy.example.com:9092\"], security: {protocol: SASL_PLAINTEXT, sasl: {mechanism: PLAIN, username: bridge}}}\ntarget: {brokers: [\"slim.example.com:9092\"]}\npartitions: 6\n")
	path := d.folder + "/bridge.yaml"
	env := []string{"VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD=pa55-word", "VIBE_BRIDGE_HOLDS_SET=5m"}
	var out, errs strings.Builder
	for _, more := range [][]string{nil, {"--all"}, {"--json"}} {
		out.Reset()
		if code := run(append([]string{"config", "show", "--config", path, "--log-level", "debug"}, more...), nil, &out, &errs, env); code != codeOK {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		if text := out.String() + errs.String(); strings.Contains(text, "pa55-word") || !strings.Contains(text, "(hidden)") {
			t.Errorf("it says\n%s", text)
		}
	}
	out.Reset()
	run([]string{"config", "show", "--config", path, "--log-level", "debug"}, nil, &out, &errs, env)
	lines := map[string]string{}
	for _, line := range strings.Split(out.String(), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 {
			lines[fields[0]] = fields[1] + " " + fields[2]
		}
	}
	for key, want := range map[string]string{
		"partitions": "6 " + path + ":3", "holds.set": "5m0s VIBE_BRIDGE_HOLDS_SET", "log.level": "debug --log-level",
		"source.security.sasl.password": "(hidden) VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD",
	} {
		if lines[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, lines[key], want)
		}
	}
	if _, there := lines["holds.organizer"]; there {
		t.Error("a default is shown without --all")
	}
}

// A password is no flag: it would stand in ps.
func TestPasswordIsNoFlag(t *testing.T) {
	for _, command := range []string{"run", "check", "config show", "topics create"} {
		args := append(strings.Fields(command), "--source-security-sasl-password", "x")
		if r := runCommand(args...); r.code != codeRefused || !strings.Contains(r.stderr, "unknown flag") {
			t.Errorf("%s: exit code %d: %s", command, r.code, r.stderr)
		}
	}
}
