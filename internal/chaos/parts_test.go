package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
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
		if has := c.lacks(k) == ""; has != (kinds[k] > 0) {
			t.Errorf("%d of %s in 200 kills", kinds[k], k)
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

// What a run does not have, nothing is drawn that needs it; with it, every kind comes.
func TestKindsNeedWhatTheRunHas(t *testing.T) {
	drawn := map[Kind]int{}
	for _, c := range []Config{{Brokers: 3, SmallDisk: true}, {OwnTarget: true}} {
		c.Seed, c.Kills = 3, 200
		for _, f := range Schedule(c.WithDefaults()) {
			drawn[f.Kind]++
			if f.Broker < 1 || f.Broker > max(c.Brokers, 1) {
				t.Errorf("%v befalls a broker that there is not", f)
			}
			if what := c.WithDefaults().lacks(f.Kind); what != "" {
				t.Errorf("%v needs %s", f, what)
			}
		}
	}
	for _, k := range Kinds() {
		if drawn[k] == 0 {
			t.Errorf("no %s is drawn", k)
		}
	}
}

func TestAwayIsAScheduleOfItsOwn(t *testing.T) {
	c := Config{Kills: 200}.AwayFor(30 * time.Minute).WithDefaults()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if faults := Schedule(c); len(faults) != 1 || faults[0].Kind != Away || faults[0].For != 30*time.Minute {
		t.Errorf("the schedule is %v", faults)
	}
}

// A pause shorter than a session, or a stall longer than takeover_repeat counts on, would test something else.
func TestFaultsKeepToTheirBounds(t *testing.T) {
	for _, f := range Schedule(Config{Seed: 1, Kills: 2000}.WithDefaults()) {
		switch {
		case (f.Kind == Pause || f.Kind == Stall) && f.For < sessionTimeout:
			t.Errorf("%v is shorter than a session", f)
		case (f.Kind == Stall || f.Kind == Limit) && f.For > takeoverRepeat-sessionTimeout:
			t.Errorf("%v is longer than a former owner may write", f)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for _, c := range []Config{{Kills: -1}, {Instances: gatePartitions + 1}, {Rate: -1}, {Others: []Kind{"flood"}},
		{Brokers: 2}, {Brokers: 3, OwnTarget: true}, {Others: []Kind{Leader}}, {Others: []Kind{Away}}, {Others: []Kind{Full}}} {
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
		"vibe-bridge: this instance stood still for 12s, and":                                            "paused for too long (G3)",
		"vibe-bridge: dial tcp: connection refused":                                                      "Kafka out of reach",
		"vibe-bridge: source cluster: read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer": "Kafka out of reach",
		"vibe-bridge: something new":                                                                     "other",
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
	p := newProxy()
	t.Cleanup(p.close)
	d, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	d.leadTo(l.Addr().String())
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
	client, err := net.Dial("tcp", p.doors[0].address())
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

// What goes one way is swallowed, what goes the other passes, and in the end both sides see that the connection is gone.
func TestHalfOpen(t *testing.T) {
	for _, requests := range []bool{true, false} {
		p, conns := behindProxy(t)
		client, server := dial(t, p, conns)
		first := request("chaos-1", "")
		write(t, client, first)
		if _, err := read(t, server, len(first), time.Minute); err != nil {
			t.Fatal(err)
		}
		into, out, back := client, server, server
		if !requests {
			into, out, back = server, client, client
		}
		p.half("chaos-1", requests)
		write(t, into, []byte("lost"))
		write(t, back, []byte("passes"))
		if got, err := read(t, into, 6, time.Minute); err != nil || string(got) != "passes" {
			t.Errorf("requests %v: the other way passes %q, %v", requests, got, err)
		}
		if got, err := read(t, out, 4, 50*time.Millisecond); err == nil {
			t.Errorf("requests %v: %q arrives", requests, got)
		}
		if n := p.heal(); n != 1 {
			t.Errorf("requests %v: %d connections are reset, want 1", requests, n)
		}
		for _, c := range []net.Conn{client, server} {
			if _, err := read(t, c, 1, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("requests %v: a side does not see the end: %v", requests, err)
			}
		}
	}
}

// A connection that has lost nothing outlives the fault, and so does one of another client.
func TestHalfOpenSparesOthers(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	p.half("chaos-2", true)
	b := request("chaos-1", "passes")
	write(t, client, b)
	if got, err := read(t, server, len(b), time.Minute); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the server got %q, %v", got, err)
	}
	if n := p.heal(); n != 0 {
		t.Errorf("%d connections are reset", n)
	}
}

func TestLimit(t *testing.T) {
	p, conns := behindProxy(t)
	client, server := dial(t, p, conns)
	p.limit(1000)
	began := time.Now()
	write(t, client, make([]byte, 200))
	if _, err := read(t, server, 200, time.Minute); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Errorf("200 bytes at 1000 per second took %s, %v", time.Since(began), err)
	}
	p.limit(0)
	if wait := p.transit(1 << 30); wait != 0 {
		t.Errorf("without a limit it takes %s", wait)
	}
}

func TestFullDisk(t *testing.T) {
	if !CanMount() {
		t.Skip("NOT TESTED: a full disk takes Linux and root, to mount a tmpfs")
	}
	dir := filepath.Join(t.TempDir(), "state")
	d, err := mountDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	put := func(name string) error { return os.WriteFile(filepath.Join(dir, name), make([]byte, 64<<10), 0o644) }
	if err := put("before"); err != nil {
		t.Fatal(err)
	}
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	if err := put("full"); err == nil || !strings.Contains(err.Error(), noSpace) {
		t.Errorf("a write to the full disk: %v", err)
	}
	if err := d.free(); err != nil {
		t.Fatal(err)
	}
	if err := put("after"); err != nil {
		t.Error(err)
	}
}

func TestLeaderFirst(t *testing.T) {
	for leader, want := range map[int32][]int32{1: {1, 2, 3}, 2: {2, 3, 1}, 3: {3, 1, 2}} {
		if got := leaderFirst([]int32{1, 2, 3}, leader); !slices.Equal(got, want) {
			t.Errorf("broker %d: %v, want %v", leader, got, want)
		}
	}
}

func TestResident(t *testing.T) {
	if got := residentOf("Name:\tvibe-bridge\nVmHWM:\t  9000 kB\nVmRSS:\t  2048 kB\n"); got != 2<<20 {
		t.Errorf("%d bytes", got)
	}
	for _, status := range []string{"", "VmRSS:\n", "VmRSS: many kB\n"} {
		if got := residentOf(status); got != 0 {
			t.Errorf("%q gives %d bytes", status, got)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	g := &gauge{phase: beforeAway, peaks: map[phase][]int64{}, now: make([]int64, 2)}
	g.take(0, 100<<20)
	g.take(1, 100<<20)
	g.take(1, 90<<20)
	if err := g.bounded(50 << 20); err == nil {
		t.Error("bounded, though nothing was seen while the target was away")
	}
	g.enter(duringAway)
	g.take(0, 120<<20)
	g.take(1, 150<<20)
	if err := g.bounded(50 << 20); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	err := g.bounded(40 << 20)
	if err == nil || !strings.Contains(err.Error(), "instance 2 had 150 MB") || strings.Contains(err.Error(), "instance 1") {
		t.Errorf("above the bound: %v", err)
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
