package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// several is how Goka joins errors.
type several []error

func (s several) Error() string          { return fmt.Sprint(len(s), " errors") }
func (s several) WrappedErrors() []error { return s }

func holds(err, wanted error) bool {
	var all several
	return errors.Is(err, wanted) || errors.As(err, &all) && errors.Is(errors.Join(all...), wanted)
}

// Only an end that was asked for, and that left nothing behind, has no error.
func TestEnding(t *testing.T) {
	disk := errors.New("disk full")
	stopped := fmt.Errorf("consume: %w", context.Canceled)
	for _, c := range []struct {
		name  string
		asked bool  // to end, before
		fails error // what a part fails with
		want  error
	}{
		{"asked, all well", true, nil, nil},
		{"asked, and interrupted by that", true, stopped, nil},
		{"asked, and interrupted in Goka's words", true, errors.New("error waiting for start up tables: context closed while waiting for startup tables to become ready"), nil},
		{"asked, and several interrupted", true, several{stopped, errors.New("read: context canceled")}, nil},
		{"asked, and one failed beside", true, fmt.Errorf("run: %w", several{stopped, disk}), disk},
		{"asked, and failed then", true, fmt.Errorf("flush: %w", disk), disk},
		{"asked, and too late for the producer", true, fmt.Errorf("bridge-gate: %w", kafka.ErrProducerClosed), nil},
		{"the producer is closed though nobody asked", false, kafka.ErrProducerClosed, kafka.ErrProducerClosed},
		{"failed", false, disk, disk},
		{"interrupted though nobody asked", false, stopped, stopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnding(Config{StopTimeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
			ctx, ask := context.WithCancel(t.Context())
			defer ask()
			err := e.run(ctx, func(ctx context.Context) error {
				if c.asked {
					ask()
				}
				e.fail(c.fails)
				if !c.asked {
					<-ctx.Done() // the first failure ends it
				}
				return nil
			})
			if (err == nil) != (c.want == nil) || c.want == disk && !holds(err, disk) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
		})
	}
}

// Once the time is over the wire is cut, the error says what was open, and what
// fails because of the cut is no failure of its own.
func TestEndingThatTakesTooLong(t *testing.T) {
	for _, failed := range []error{nil, errors.New("disk full")} {
		t.Run(fmt.Sprint(failed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnding(Config{StopTimeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
				ctx, ask := context.WithCancel(t.Context())
				began := time.Now()
				err := e.run(ctx, func(ctx context.Context) error {
					e.started("gate", "the offsets of group gate on the state cluster")
					e.started("intake", "the offsets of group intake on the source cluster")
					e.ended("intake")
					e.fail(failed)
					ask()
					for !e.wire.IsCut() { // in the bubble's time
						time.Sleep(time.Second)
					}
					e.fail(errors.New("produce: connection cut"))
					return nil
				})
				if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
					t.Errorf("cut after %s", took)
				}
				var stop *StopError
				if !errors.As(err, &stop) || len(stop.Owed) != 1 || stop.Owed[0] != "the offsets of group gate on the state cluster" {
					t.Errorf("ended with %v, want a StopError with what the gate owed", err)
				}
				if failed != nil && !errors.Is(err, failed) {
					t.Errorf("ended with %v, want the failure that began it as well", err)
				}
			})
		})
	}
}

// A store may be filled at the very moment in which the instance is told to stop, and the
// producer closed by then. What it would have sent, the next session sends.
func TestStopWhileAStoreIsFilled(t *testing.T) {
	for name, begin := range map[string]func(*fence) error{
		"session's record":    func(f *fence) error { return f.open(f.session) },
		"rows to write again": func(f *fence) error { f.writeAgain(f.session); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := fenceOver(t, 0)
			f.overruled["e"] = true
			f.g.b.log = slog.New(slog.DiscardHandler)
			end := newEnding(Config{StopTimeout: time.Minute, Log: f.g.b.log})
			f.g.producer = kafka.NewProducer(nil, kafka.ProducerHooks{
				Route:   func(string) (sarama.AsyncProducer, error) { return nil, nil },
				Refused: func(err error) { end.fail(fmt.Errorf("bridge-gate: %w", err)) },
			})
			if err := f.g.producer.Close(); err != nil {
				t.Fatal(err)
			}
			ctx, ask := context.WithCancel(t.Context())
			err := end.run(ctx, func(context.Context) error {
				ask()
				return begin(f)
			})
			if err != nil {
				t.Errorf("a stop that was asked for ended with %v", err)
			}
		})
	}
}
