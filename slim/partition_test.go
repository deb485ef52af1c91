package slim_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func TestMurmur2(t *testing.T) {
	// The vectors of the slim contract.
	tests := []struct {
		key  string
		want int32
	}{
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	}
	for _, tt := range tests {
		if got := slim.Murmur2([]byte(tt.key)); got != tt.want {
			t.Errorf("Murmur2(%q) = %d, want %d", tt.key, got, tt.want)
		}
	}
	if slim.Murmur2(nil) != slim.Murmur2([]byte{}) {
		t.Error("no key and an empty key differ")
	}
}

func TestPartition(t *testing.T) {
	tests := []struct {
		key        string
		partitions int32
		want       int32
	}{
		{"abc", 12, 479470107 % 12},
		{"21", 12, (-973932308 + 1<<31) % 12}, // the sign bit is cleared, not the sign changed
		{"21", 1, 0},
		{"21", math.MaxInt32, -973932308 + 1<<31},
		{"21", 0, -1},
		{"21", -3, -1},
	}
	for _, tt := range tests {
		if got := slim.Partition([]byte(tt.key), tt.partitions); got != tt.want {
			t.Errorf("Partition(%q, %d) = %d, want %d", tt.key, tt.partitions, got, tt.want)
		}
	}
}

// murmur2Vectors is what the Java client answered. Rewrite it with
//
//	KAFKA_CLIENT_CLASSPATH=kafka-clients.jar:slf4j-api.jar go test ./slim -run TestMurmur2AgainstJavaClient -update
const murmur2Vectors = "testdata/murmur2.tsv"

// TestMurmur2AgainstJavaClient holds Murmur2 and Partition against Kafka's own
// Java client: always against its committed answers, and against the client
// itself, with keys that are new in every run, where KAFKA_CLIENT_CLASSPATH
// names its jars and there is a java.
func TestMurmur2AgainstJavaClient(t *testing.T) {
	classpath := os.Getenv("KAFKA_CLIENT_CLASSPATH")
	if *update && classpath != "" {
		answers := askJavaClient(t, classpath, vectorKeys(rand.New(rand.NewPCG(2, 3))))
		if err := os.WriteFile(murmur2Vectors, answers, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(murmur2Vectors)
	if err != nil {
		t.Fatal(err)
	}
	if n := checkVectors(t, committed); n < 2000 {
		t.Errorf("%s has %d vectors, want at least 2000", murmur2Vectors, n)
	}

	if classpath == "" {
		t.Log("checked against the committed answers of the Java client only: KAFKA_CLIENT_CLASSPATH is not set")
		return
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Logf("checked against the committed answers of the Java client only: %v", err)
		return
	}
	seed := rand.Uint64()
	t.Logf("seed of the fresh keys: %d", seed)
	requests := vectorKeys(rand.New(rand.NewPCG(seed, 0)))
	answers := askJavaClient(t, classpath, requests)
	if n := checkVectors(t, answers); n != len(requests) {
		t.Errorf("the Java client answered %d of %d keys", n, len(requests))
	}
}

type vectorKey struct {
	key        []byte
	partitions int32
}

// vectorKeys draws keys of all lengths from 0 to 40, of random bytes and of
// UTF-8 text, and ids as the slim topics have them, each with a number of
// partitions.
func vectorKeys(random *rand.Rand) []vectorKey {
	var keys []vectorKey
	add := func(key []byte) {
		keys = append(keys, vectorKey{key, 1 + random.Int32N(200)})
	}
	for length := range 41 {
		for range 40 {
			key := make([]byte, length)
			for i := range key {
				key[i] = byte(random.Uint32())
			}
			add(key)
		}
	}
	alphabet := []rune("abcXYZ019-_/ \u00e9\u0416\u042f\u4e2d\u2028\U0001F3AB")
	for range 400 {
		text := make([]rune, random.IntN(20))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		add([]byte(string(text)))
	}
	for range 400 {
		add(fmt.Appendf(nil, "%08x%016x", random.Uint32(), random.Uint64()))
	}
	return keys
}

// askJavaClient runs testdata/java/Murmur2Vectors.java, which says what goes in
// and out.
func askJavaClient(t *testing.T, classpath string, keys []vectorKey) []byte {
	t.Helper()
	var input, stderr bytes.Buffer
	for _, k := range keys {
		fmt.Fprintf(&input, "%s\t%d\n", hexOrDash(k.key), k.partitions)
	}
	cmd := exec.CommandContext(t.Context(), "java", "-cp", classpath, "testdata/java/Murmur2Vectors.java")
	cmd.Stdin = &input
	cmd.Stderr = &stderr
	answers, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the Java client: %v\n%s", err, stderr.Bytes())
	}
	return answers
}

func hexOrDash(key []byte) string {
	if len(key) == 0 {
		return "-"
	}
	return hex.EncodeToString(key)
}

// checkVectors returns how many vectors there were.
func checkVectors(t *testing.T, vectors []byte) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(string(vectors)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		columns := strings.Split(line, "\t")
		if len(columns) != 4 {
			t.Fatalf("vector %d has %d columns, want 4: %q", n, len(columns), line)
		}
		key, err := hex.DecodeString(strings.TrimPrefix(columns[0], "-"))
		if err != nil {
			t.Fatalf("vector %d: %v", n, err)
		}
		partitions := mustInt32(t, columns[2])
		if got, want := slim.Murmur2(key), mustInt32(t, columns[1]); got != want {
			t.Errorf("Murmur2(%s) = %d, the Java client says %d", columns[0], got, want)
		}
		if got, want := slim.Partition(key, partitions), mustInt32(t, columns[3]); got != want {
			t.Errorf("Partition(%s, %d) = %d, the Java client says %d", columns[0], partitions, got, want)
		}
	}
	return n
}

func mustInt32(t *testing.T, s string) int32 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}
