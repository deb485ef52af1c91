package localkafka

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// jarsMark is the file in the jar folder that names the pom it was filled from. It is written last:
// a folder without it is incomplete.
const jarsMark = "pom.sha256"

// ErrNoJars says that the broker's jars have not been fetched yet, or belong to another version of the pom.
var ErrNoJars = errors.New("the Kafka jars are not there")

// Root returns the top folder of the checkout that contains dir: the nearest one upwards with a go.mod.
func Root(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for d := abs; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("find the checkout: no go.mod in %s or above it: run this inside the vibe-bridge checkout", abs)
		}
	}
}

// Jars is the folder of the broker's jars of a checkout.
type Jars struct {
	Dir string
	pom string
}

// CheckoutJars names the jar folder of the checkout at root, without looking at it.
func CheckoutJars(root string) Jars {
	return Jars{
		Dir: filepath.Join(root, "build", "kafka", "jars"),
		pom: filepath.Join(root, "deploy", "kafka", "pom.xml"),
	}
}

// Check returns nil when the jars of the current pom are there, else an error that wraps ErrNoJars.
func (j Jars) Check() error {
	want, err := j.pomSum()
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(j.Dir, jarsMark))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s: run `make kafka` once", ErrNoJars, j.Dir)
	}
	if err != nil {
		return fmt.Errorf("check the Kafka jars: %w", err)
	}
	if string(got) != want {
		return fmt.Errorf("%w: %s is from another version of deploy/kafka/pom.xml: run `make kafka` once", ErrNoJars, j.Dir)
	}
	return nil
}

// Fetch has Maven copy the jars unless they are there already. Progress and Maven's output go to w.
func (j Jars) Fetch(ctx context.Context, w io.Writer) error {
	err := j.Check()
	if err == nil || !errors.Is(err, ErrNoJars) {
		return err
	}
	sum, err := j.pomSum()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.Dir), 0o755); err != nil {
		return fmt.Errorf("fetch the Kafka jars: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(j.Dir), "jars-*")
	if err != nil {
		return fmt.Errorf("fetch the Kafka jars: %w", err)
	}
	defer os.RemoveAll(tmp)

	fmt.Fprintln(w, "fetching the jars of Apache Kafka with Maven (once per checkout)")
	cmd := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", j.pom, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+tmp)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("fetch the Kafka jars: mvn is not in PATH: install Maven, or set KAFKA_BROKERS to a Kafka of your own")
		}
		return fmt.Errorf("fetch the Kafka jars: mvn --file %s: %w: its output is above", j.pom, err)
	}
	if err := os.WriteFile(filepath.Join(tmp, jarsMark), []byte(sum), 0o644); err != nil {
		return fmt.Errorf("fetch the Kafka jars: %w", err)
	}
	if err := os.RemoveAll(j.Dir); err != nil {
		return fmt.Errorf("fetch the Kafka jars: %w", err)
	}
	if err := os.Rename(tmp, j.Dir); err != nil {
		return fmt.Errorf("fetch the Kafka jars: %w", err)
	}
	return os.Chmod(j.Dir, 0o755)
}

// Classpath is the class path of the whole broker.
func (j Jars) Classpath() string { return filepath.Join(j.Dir, "*") }

// clientJars are the artifacts that a program on kafka-clients needs at run time.
var clientJars = []string{"kafka-clients", "slf4j-api", "lz4-java", "snappy-java", "zstd-jni"}

// ClientClasspath is the class path of kafka-clients alone, for small Java programs that check our results.
func (j Jars) ClientClasspath() (string, error) {
	if err := j.Check(); err != nil {
		return "", err
	}
	var paths []string
	for _, name := range clientJars {
		found, err := filepath.Glob(filepath.Join(j.Dir, name+"-[0-9]*.jar"))
		if err != nil {
			return "", fmt.Errorf("list the Kafka jars: %w", err)
		}
		if len(found) != 1 {
			return "", fmt.Errorf("list the Kafka jars: %d files match %s-*.jar in %s, want one: remove the folder and run `make kafka`", len(found), name, j.Dir)
		}
		paths = append(paths, found[0])
	}
	return strings.Join(paths, string(os.PathListSeparator)), nil
}

func (j Jars) pomSum() (string, error) {
	b, err := os.ReadFile(j.pom)
	if err != nil {
		return "", fmt.Errorf("read the pom of the local Kafka: %w", err)
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:]), nil
}

// java returns the Java program to run the broker with: JAVA_HOME's, else the one in PATH.
func java() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", errors.New("java is not in PATH and JAVA_HOME is not set: Apache Kafka needs Java 17 or newer")
	}
	return path, nil
}
