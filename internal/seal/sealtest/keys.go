// Package sealtest makes files of keys for tests.
package sealtest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/seal"
)

// Secret is the key of an id as a file has it, always the same.
func Secret(id string) string {
	sum := sha256.Sum256([]byte("a key of the tests: " + id))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Lines are those of a file with keys of these ids, the first of which seals.
func Lines(ids ...string) string {
	var lines strings.Builder
	for _, id := range ids {
		fmt.Fprintln(&lines, id, Secret(id))
	}
	return lines.String()
}

// Keys writes such a file and reads it.
func Keys(t testing.TB, ids ...string) *seal.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(Lines(ids...)), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
