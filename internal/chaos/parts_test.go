package chaos

import (
	"bytes"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

func TestScheduleIsTheSameForASeed(t *testing.T) {
	c := Config{Seed: 7, Kills: 200}.WithDefaults()
	faults := Schedule(c)
	if !reflect.DeepEqual(faults, Schedule(c)) {
		t.Error("two schedules of one seed differ")
	}
	kinds := map[Kind]int{}
	for _, f := range faults {
		kinds[f.Kind]++
		if f.Instance >= c.Instances {
			t.Errorf("%v befalls an instance that there is not", f)
		}
	}
	if kinds[Kill] != 200 {
		t.Errorf("%d kills, want 200", kinds[Kill])
	}
	for _, k := range Kinds() {
		if kinds[k] == 0 {
			t.Errorf("no %s in 200 kills", k)
		}
	}
	c.Seed = 8
	if reflect.DeepEqual(faults, Schedule(c)) {
		t.Error("another seed gives the same schedule")
	}
	c.Others = []Kind{}
	if slices.ContainsFunc(Schedule(c), func(f Fault) bool { return f.Kind != Kill }) {
		t.Error("other faults than were asked for")
	}
}

// A pause shorter than a session, or a stall longer than takeover_repeat counts on, would test something else.
func TestFaultsKeepToTheirBounds(t *testing.T) {
	for _, f := range Schedule(Config{Seed: 1, Kills: 2000}.WithDefaults()) {
		switch {
		case (f.Kind == Pause || f.Kind == Stall) && f.For < sessionTimeout:
			t.Errorf("%v is shorter than a session", f)
		case f.Kind == Stall && f.For > takeoverRepeat-sessionTimeout:
			t.Errorf("%v is longer than a former owner may write", f)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for _, c := range []Config{{Kills: -1}, {Instances: gatePartitions + 1}, {Rate: -1}, {Others: []Kind{"flood"}}} {
		if c.WithDefaults().Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestStall(t *testing.T) {
	var s stall
	s.look(5, true, time.Second) // the first records
	s.look(5, true, time.Second)
	s.look(5, false, time.Hour) // a fault is on: it counts for nothing, and sets nothing back
	s.look(5, true, 2*time.Second)
	if s.Longest != 3*time.Second {
		t.Errorf("longest stall %s, want 3s", s.Longest)
	}
	s.look(6, true, time.Second)
	s.look(6, true, time.Second)
	if s.Longest != 3*time.Second || s.current != time.Second {
		t.Errorf("after a record: longest %s, present %s", s.Longest, s.current)
	}
}

func TestReasons(t *testing.T) {
	for line, want := range map[string]string{
		"vibe-bridge: this instance stood still for 12s, and": "paused for too long (G3)",
		"vibe-bridge: dial tcp: connection refused":           "Kafka out of reach",
		"vibe-bridge: something new":                          "other",
	} {
		if got := reasonOf(line); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

// The bridge refuses variables with its prefix that it does not know: those of the suite must not reach it.
func TestProgramsSeeNoSettingsOfTheSuite(t *testing.T) {
	t.Setenv(config.EnvPrefix+"CHAOS_PLANTED", "1")
	t.Setenv("CHAOS_OTHER", "1")
	env := program(t.Context(), "vibe-bridge", "verify").Env
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, config.EnvPrefix) }) {
		t.Error("a variable with the prefix of the bridge's keys is passed on")
	}
	if !slices.Contains(env, "CHAOS_OTHER=1") {
		t.Error("other variables are not passed on")
	}
}

// request is the beginning of a Kafka request of a client.
func request(client string, more string) []byte {
	b := []byte{0, 0, 0, 99, 0, 18, 0, 3, 0, 0, 0, 1, 0, byte(len(client))}
	return append(append(b, client...), more...)
}

func TestClientID(t *testing.T) {
	whole := request("chaos-1", "rest")
	if got := clientID(whole); got != "chaos-1" {
		t.Errorf("client id %q", got)
	}
	for n := range len(request("chaos-1", "")) {
		if got := clientID(whole[:n]); got != "" {
			t.Errorf("%d bytes give %q", n, got)
		}
	}
}

// behindProxy is a server that keeps what it gets, behind a proxy.
func behindProxy(t *testing.T) (*proxy, chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p, err := newProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	p.leadTo(l.Addr().String())
	conns := make(chan net.Conn, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	return p, conns
}

func dial(t *testing.T, p *proxy, conns chan net.Conn) (client, server net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	server = <-conns
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func read(t *testing.T, c net.Conn, n int, within time.Duration) ([]byte, error) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err
}

func write(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// What a client sent in a stall arrives after it, also when the client has gone: as the last records of a former owner do.
func TestStalledRequestsArriveLate(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	first := request("chaos-1", "")
	write(t, client, first)
	if got, err := read(t, server, len(first), time.Minute); err != nil || !bytes.Equal(got, first) {
		t.Fatalf("the server got %q, %v", got, err)
	}
	p.stall("chaos-1", true)
	write(t, client, []byte("late"))
	client.Close()
	if got, err := read(t, server, 4, 50*time.Millisecond); err == nil {
		t.Fatalf("%q passes in a stall", got)
	}
	p.stall("chaos-1", false)
	if got, err := read(t, server, 4, time.Minute); err != nil || string(got) != "late" {
		t.Errorf("the server got %q, %v", got, err)
	}
}

func TestStallIsOfOneClient(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	p.stall("chaos-2", true)
	b := request("chaos-1", "passes")
	write(t, client, b)
	if got, err := read(t, server, len(b), time.Minute); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the server got %q, %v", got, err)
	}
}

func TestDelayIsOfAnswers(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	const lag = 200 * time.Millisecond
	p.slow(lag)
	began := time.Now()
	write(t, server, []byte("answer"))
	if _, err := read(t, client, 6, time.Minute); err != nil || time.Since(began) < lag {
		t.Errorf("the answer came after %s, %v", time.Since(began), err)
	}
}

func TestCut(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	write(t, client, []byte("x"))
	if _, err := read(t, server, 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	if n := p.cut(); n != 1 {
		t.Errorf("%d links were cut", n)
	}
	for _, c := range []net.Conn{client, server} {
		if _, err := read(t, c, 1, time.Minute); err == nil || err == io.ErrUnexpectedEOF {
			t.Errorf("a side does not see the cut: %v", err)
		}
	}
	dial(t, p, conns) // a new one passes
}
