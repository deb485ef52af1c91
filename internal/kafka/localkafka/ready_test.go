package localkafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A broker that answers at the address is not enough: it may be another cluster's.
func TestReadyOfAnotherCluster(t *testing.T) {
	other, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	addrs := other.ListenAddrs()
	if err := ready(t.Context(), "other", addrs, 1); err != nil {
		t.Error(err)
	}
	if err := ready(t.Context(), "mine", addrs, 1); err == nil || !strings.Contains(err.Error(), "another cluster, other") {
		t.Errorf("of another cluster: %v", err)
	}
	if err := ready(t.Context(), "other", addrs, 2); err == nil || !strings.Contains(err.Error(), "1 of 2 brokers") {
		t.Errorf("of one broker of two: %v", err)
	}
}

func TestClusterID(t *testing.T) {
	n := node{dir: t.TempDir()}
	if id, err := n.clusterID(); err == nil {
		t.Errorf("%q", id)
	}
	path := filepath.Join(n.dir, "data", "meta.properties")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"#\nversion=1\ncluster.id=abc-_9\nnode.id=1\n": "abc-_9", "version=1\n": "", "": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := n.clusterID(); id != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, id, err)
		}
	}
}
