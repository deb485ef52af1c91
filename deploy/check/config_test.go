package check

import (
	"bytes"
	"encoding/pem"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// deploy is the folder that is checked.
const deploy = ".."

// configFiles are all configurations in deploy.
var configFiles = []string{
	"bridge.example.yaml", "compose/bridge.yaml", "examples/production.yaml", "examples/stage.yaml",
	"kubernetes/overlays/production/bridge.yaml", "kubernetes/overlays/stage/bridge.yaml",
}

// TestConfigurations: the bridge takes every configuration in deploy, unknown keys are errors.
func TestConfigurations(t *testing.T) {
	var found []string
	err := filepath.WalkDir(deploy, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		var top map[string]any
		if text := read(t, path); yaml.Unmarshal(text, &top) == nil && top["source"] != nil && top["target"] != nil {
			name, _ := filepath.Rel(deploy, path)
			found = append(found, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	if !slices.Equal(found, configFiles) {
		t.Errorf("configurations in deploy: %v, want %v", found, configFiles)
	}
	for _, name := range configFiles {
		t.Run(name, func(t *testing.T) { loadConfig(t, read(t, filepath.Join(deploy, name))) })
	}
}

// TestUnknownKeyIsFound: what TestConfigurations relies on.
func TestUnknownKeyIsFound(t *testing.T) {
	text := append(read(t, filepath.Join(deploy, "examples/stage.yaml")), "holds: {organiser: 10m}\n"...)
	if _, err := tryConfig(t, text); err == nil || !strings.Contains(err.Error(), "organiser") {
		t.Errorf("an unknown key gives %v", err)
	}
}

// TestExamplesAreSecured: both clusters are reached as documented for stage and production.
func TestExamplesAreSecured(t *testing.T) {
	for _, name := range configFiles[2:] {
		c := loadConfig(t, read(t, filepath.Join(deploy, name)))
		for side, cluster := range map[string]struct {
			brokers            []string
			protocol, mechan   string
			password, inConfig string
			ca                 string
		}{
			"source": {c.Source.Brokers, c.Source.Security.Protocol, c.Source.Security.SASL.Mechanism, c.Source.Security.SASL.PasswordFile, string(c.Source.Security.SASL.Password), c.Source.Security.TLS.CAFile},
			"target": {c.Target.Brokers, c.Target.Security.Protocol, c.Target.Security.SASL.Mechanism, c.Target.Security.SASL.PasswordFile, string(c.Target.Security.SASL.Password), c.Target.Security.TLS.CAFile},
		} {
			if cluster.protocol != "SASL_SSL" || cluster.mechan != "SCRAM-SHA-512" || cluster.password == "" || cluster.ca == "" {
				t.Errorf("%s: %s: %+v: want SASL_SSL, SCRAM-SHA-512, a password file and a CA file", name, side, cluster)
			}
			for _, broker := range cluster.brokers {
				if !strings.HasSuffix(broker, ".example.com:9091") {
					t.Errorf("%s: %s: broker %s: want a made-up host on port 9091", name, side, broker)
				}
			}
		}
		if c.Replication < 3 || c.MinInsync < 2 {
			t.Errorf("%s: replication %d, min_insync %d: want 3 and 2", name, c.Replication, c.MinInsync)
		}
	}
}

func loadConfig(t *testing.T, text []byte, env ...string) config.Config {
	t.Helper()
	c, err := tryConfig(t, text, env...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// secretFile is a file with a secret. Those of a cluster's security are read when the configuration is checked.
var secretFile = regexp.MustCompile(`\b(password_file|ca_file|[a-z]+_token_file): *(/[^\s}]+)`)

// tryConfig loads a configuration whose secret files are there, with variables of the form NAME=value.
func tryConfig(t *testing.T, text []byte, env ...string) (config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	text = secretFile.ReplaceAllFunc(text, func(found []byte) []byte {
		part := secretFile.FindSubmatch(found)
		path, content := filepath.Join(dir, filepath.Base(string(part[2]))), []byte("neither-a-password-nor-a-token\n")
		if bytes.Equal(part[1], []byte("ca_file")) {
			content = authority
		}
		write(t, path, content)
		return []byte(string(part[1]) + ": " + path)
	})
	path := filepath.Join(dir, "bridge.yaml")
	write(t, path, text)
	return config.Load(path, env, nil)
}

// secretPaths are the files that a configuration names.
func secretPaths(text []byte) []string {
	var paths []string
	for _, found := range secretFile.FindAllSubmatch(text, -1) {
		if !bytes.Contains(found[0], []byte("/etc/kafka/")) { // in a comment of the example
			paths = append(paths, string(found[2]))
		}
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
