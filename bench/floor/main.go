// Command floor is the physical limit that contestants of the benchmark are held against: it reads topics from their
// first to their present last record, and writes a record for some of those that it reads, with no work in between.
//
//	floor -brokers HOST:PORT [-client franz|sarama] FROM=TO:BYTES:SHARE … FROM …
//
// For the share SHARE (0 to 1) of the records of FROM it writes one to TO, with a value of BYTES bytes: the first ones
// of what was read, over again where that is shorter, so that they compress as real ones do. Keys are those that were
// read. A topic alone is read only. It ends when everything is acknowledged, with a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// flow is a topic to read, and what to write of it.
type flow struct {
	from, to string  // to "": nothing is written
	bytes    int     // of each value
	share    float64 // of the records that are written, 0 to 1
}

// figures are what was done.
type figures struct {
	Read         int64   `json:"read"`
	ReadBytes    int64   `json:"read_bytes"` // of values
	Written      int64   `json:"written"`
	WrittenBytes int64   `json:"written_bytes"`
	Seconds      float64 `json:"seconds"`
}

// counters count from several goroutines.
type counters struct{ read, readBytes, written, writtenBytes atomic.Int64 }

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	brokers := flags.String("brokers", "", "addresses (host:port), separated by commas")
	client := flags.String("client", "franz", "franz or sarama")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	flows, err := flowsOf(flags.Args())
	move := map[string]func(context.Context, []string, []flow, *counters) error{"franz": moveFranz, "sarama": moveSarama}[*client]
	switch {
	case err == nil && *brokers == "":
		err = errors.New("want -brokers")
	case err == nil && move == nil:
		err = fmt.Errorf("-client %q: want franz or sarama", *client)
	}
	if err != nil {
		fmt.Fprintln(stderr, "floor:", err)
		return 2
	}
	began := time.Now()
	var c counters
	if err := move(ctx, strings.Split(*brokers, ","), flows, &c); err != nil {
		fmt.Fprintln(stderr, "floor:", err)
		return 1
	}
	if err := json.NewEncoder(stdout).Encode(figures{
		c.read.Load(), c.readBytes.Load(), c.written.Load(), c.writtenBytes.Load(), time.Since(began).Seconds(),
	}); err != nil {
		fmt.Fprintln(stderr, "floor:", err)
		return 1
	}
	return 0
}

// flowsOf reads arguments such as orders_done=slim-orders:420:1.02, or partners.
func flowsOf(args []string) (flows []flow, err error) {
	for _, arg := range args {
		from, rest, writes := strings.Cut(arg, "=")
		f := flow{from: from}
		if writes {
			parts := strings.Split(rest, ":")
			if len(parts) != 3 {
				return nil, fmt.Errorf("%q: want TOPIC=TOPIC:BYTES:SHARE", arg)
			}
			var errBytes, errShare error
			f.to = parts[0]
			f.bytes, errBytes = strconv.Atoi(parts[1])
			f.share, errShare = strconv.ParseFloat(parts[2], 64)
			if errBytes != nil || errShare != nil || f.to == "" || f.bytes < 1 || !(f.share >= 0 && f.share <= 1) {
				return nil, fmt.Errorf("%q: want TOPIC=TOPIC:BYTES:SHARE, with 1 byte or more and a share from 0 to 1", arg)
			}
		}
		if f.from == "" {
			return nil, fmt.Errorf("%q: want a topic", arg)
		}
		flows = append(flows, f)
	}
	if len(flows) == 0 {
		return nil, errors.New("want topics to read")
	}
	return flows, nil
}

// writes tells whether the n-th record, from 0, is one of those that are written: so many of the first n are as the share says.
func (f flow) writes(n int64) bool {
	return f.to != "" && int64(float64(n+1)*f.share) > int64(float64(n)*f.share)
}

// value is what is written of a record.
func (f flow) value(read []byte) []byte {
	if len(read) >= f.bytes {
		return read[:f.bytes]
	}
	out := make([]byte, 0, f.bytes)
	for len(out) < f.bytes && len(read) > 0 {
		out = append(out, read[:min(len(read), f.bytes-len(out))]...)
	}
	return append(out, make([]byte, f.bytes-len(out))...) // of an empty record
}
