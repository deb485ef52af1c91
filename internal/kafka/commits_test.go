package kafka

import (
	"errors"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		commit Commit
		want   Progress
		ours   bool
	}{
		{Commit{Offset: -1}, Progress{}, true},
		{Commit{Offset: 7, Metadata: commitMetadata(0)}, Progress{}, true},
		{Commit{Offset: 7, Metadata: commitMetadata(5)}, Progress{Ended: 5}, true},
		{Commit{Offset: 7, Metadata: Progress{5, true, 3}.metadata()}, Progress{5, true, 3}, true},
		{Commit{Offset: 7, Metadata: Progress{5, false, 3}.metadata()}, Progress{5, false, 3}, true},
		{Commit{Offset: 7, Metadata: commitMetadata(5) + " clean=x later=1"}, Progress{Ended: 5}, true},
		{Commit{Offset: 7, Metadata: commitMetadata(1<<64 - 1)}, Progress{Ended: 1<<64 - 1}, true},
		{Commit{Offset: 7, Metadata: Progress{5, true, 0}.metadata()}, Progress{5, true, 0}, true},
		// The forms on the brokers: they must not change.
		{Commit{Offset: 7, Metadata: "vibe-bridge/1 ended=5"}, Progress{Ended: 5}, true},
		{Commit{Offset: 7, Metadata: "vibe-bridge/1 ended=5 reset"}, Progress{5, true, 0}, true},
		{Commit{Offset: 7, Metadata: "vibe-bridge/1 ended=5 reset clean=3"}, Progress{5, true, 3}, true},
		{Commit{Offset: 7}, Progress{}, false},
		{Commit{Offset: 7, Metadata: "5"}, Progress{}, false},
		{Commit{Offset: 7, Metadata: "another/1 ended=5"}, Progress{}, false},
	} {
		if got, ours := ProgressOf(c.commit); ours != c.ours || ours && got != c.want {
			t.Errorf("ProgressOf(%+v) = %+v, %t; want %+v, %t", c.commit, got, ours, c.want, c.ours)
		}
	}
}

func commitMetadata(ended uint64) string { return Progress{Ended: ended}.metadata() }

// What a session commits comes back in the next: offset, count of records and
// the end of the partition. Count and offset differ where the topic has no beginning any more.
func TestCommitsRoundTrip(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		r, a := newRelay(t, tg), testAdmin(t, tg)
		wantCommits(t, a, r, "nobody has joined", Commit{Offset: -1}, Commit{Offset: -1})

		r.produce(0, 10)
		deleteBefore(t, tg, r.in, 4)
		if oldest, err := a.OldestOffset(r.in, 0); err != nil || oldest != 4 {
			t.Errorf("oldest offset %d, %v; want 4", oldest, err)
		}
		wantCommits(t, a, r, "nothing consumed", Commit{Offset: -1, Start: 4, End: 10}, Commit{Offset: -1})
		r.runUntil(t, a, 10)
		wantCommits(t, a, r, "6 records consumed", Commit{10, "vibe-bridge/1 ended=6", 4, 10}, Commit{Offset: -1})

		r.produce(10, 5)
		r.produceTo(1, "one1")
		wantCommits(t, a, r, "more produced", Commit{10, "vibe-bridge/1 ended=6", 4, 15}, Commit{Offset: -1, End: 1})
		r.runUntil(t, a, 15)
		wantCommits(t, a, r, "all consumed", Commit{15, "vibe-bridge/1 ended=11", 4, 15}, Commit{1, "vibe-bridge/1 ended=1", 0, 1})
	})
}

func wantCommits(t *testing.T, a *Admin, r *relay, when string, want ...Commit) {
	t.Helper()
	got, err := a.GroupCommits(string(r.group), map[string][]int32{r.in: {0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[int32]Commit{}
	for p, c := range want {
		wanted[int32(p)] = c
	}
	if !maps.Equal(got[r.in], wanted) {
		t.Errorf("%s: %+v, want %+v", when, got[r.in], wanted)
	}
}

// runUntil runs a tracked instance until it has committed both partitions up to their ends.
func (r *relay) runUntil(t *testing.T, a *Admin, end int64) {
	t.Helper()
	run := r.start(true, commitOften, withCommits(a, r, false))
	ends := kafkatest.EndOffsets(t, r.tg.Addrs, r.in)
	kafkatest.Eventually(t, "all records to be committed", func() bool {
		select {
		case err := <-run.ended:
			t.Fatalf("instance ended: %v", err)
		default:
		}
		c := r.committed()
		return c[0] == end && c[1] == ends[1]
	})
	run.stop()
	if err := run.end(); err != nil {
		t.Errorf("instance ended with %v", err)
	}
}

func withCommits(a *Admin, r *relay, accept bool) func(*TrackerOptions) {
	return func(o *TrackerOptions) {
		o.AcceptForeignOffsets = accept
		o.Commits = func(topics map[string][]int32) (map[string]map[int32]Commit, error) {
			return a.GroupCommits(string(r.group), topics)
		}
	}
}

func deleteBefore(t *testing.T, tg kafkatest.Target, topic string, offset int64) {
	t.Helper()
	withAdmin(t, tg, func(adm *kadm.Client) error {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, offset, -1)
		deleted, err := adm.DeleteRecords(t.Context(), offsets)
		if err == nil {
			err = deleted.Error()
		}
		return err
	})
}

// setOffset commits an offset of partition 0 as Kafka's tools would.
func (r *relay) setOffset(t *testing.T, offset int64, metadata string) {
	t.Helper()
	withAdmin(t, r.tg, func(adm *kadm.Client) error {
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: r.in, Partition: 0, At: offset, LeaderEpoch: -1, Metadata: metadata})
		return adm.CommitAllOffsets(t.Context(), string(r.group), offsets)
	})
}

func withAdmin(t *testing.T, tg kafkatest.Target, do func(*kadm.Client) error) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(tg.Addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := do(kadm.NewClient(cl)); err != nil {
		t.Fatal(err)
	}
}

// An offset that was set with Kafka's tools is refused, and taken over only on demand.
func TestOffsetSetByHand(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		r, a := newRelay(t, tg), testAdmin(t, tg)
		r.produce(0, 10)
		r.setOffset(t, 6, "")
		run := r.start(true, commitOften, withCommits(a, r, false))
		var foreign *ForeignOffsetError
		if err := run.end(); !errors.As(err, &foreign) || foreign.Topic != r.in || foreign.Offset != 6 {
			t.Errorf("instance ended with %v, want a ForeignOffsetError for offset 6", err)
		}
		if n := len(kafkatest.ReadAll(t, tg.Addrs, r.out)); n != 0 {
			t.Errorf("%d records went out of a refused session", n)
		}
		wantCommits(t, a, r, "refused", Commit{6, "", 0, 10}, Commit{Offset: -1})

		run = r.start(true, commitOften, withCommits(a, r, true))
		kafkatest.Eventually(t, "the rest to be committed", func() bool { return r.committed()[0] == 10 })
		run.stop()
		if err := run.end(); err != nil {
			t.Errorf("instance ended with %v", err)
		}
		wantCommits(t, a, r, "accepted", Commit{10, "vibe-bridge/1 ended=4 reset", 0, 10}, Commit{Offset: -1})
		if n := len(kafkatest.ReadAll(t, tg.Addrs, r.out)); n != 4 {
			t.Errorf("%d records went out, want the 4 behind the offset", n)
		}
		r.produce(10, 1)
		r.runUntil(t, a, 11) // what was taken over is ours from then on
		wantCommits(t, a, r, "later", Commit{11, "vibe-bridge/1 ended=5 reset", 0, 11}, Commit{Offset: -1})
	})
}

// To accept once is enough, also where nothing is there to be consumed: the offset
// is committed as ours at once, and not only with the next record.
func TestAcceptedOffsetIsOursAtOnce(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		r, a := newRelay(t, tg), testAdmin(t, tg)
		r.produce(0, 10)
		r.setOffset(t, 10, "")
		run := r.start(true, commitAtTheEnd, withCommits(a, r, true))
		kafkatest.Eventually(t, "the offset to be ours", func() bool {
			commits, err := a.GroupCommits(string(r.group), map[string][]int32{r.in: {0}})
			if err != nil {
				t.Fatal(err)
			}
			_, ours := ProgressOf(commits[r.in][0])
			return ours
		})
		run.kill() // without a last commit
		run = r.start(true, commitOften, withCommits(a, r, false))
		kafkatest.Eventually(t, "a session that was not refused", func() bool { return run.tracker.Session().Done() != nil })
		run.stop()
		if err := run.end(); err != nil {
			t.Errorf("instance ended with %v", err)
		}
		wantCommits(t, a, r, "accepted before", Commit{10, "vibe-bridge/1 ended=0 reset", 0, 10}, Commit{Offset: -1})
	})
}

// Where retention has deleted what was not read, the instance ends and says so.
func TestOffsetThatIsGone(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		r, a := newRelay(t, tg), testAdmin(t, tg)
		r.produce(0, 10)
		r.setOffset(t, 2, commitMetadata(2))
		deleteBefore(t, tg, r.in, 5)
		for _, accept := range []bool{false, true} {
			run := r.start(true, commitOften, withCommits(a, r, accept))
			err := run.end()
			var lost *LostOffsetError
			if !errors.As(err, &lost) || lost.Topic != r.in || lost.Commit.Offset != 2 {
				t.Errorf("instance ended with %v, want a LostOffsetError for offset 2", err)
			}
			wantError(t, err, []string{"begins at 5: 3 records were deleted", "--accept-reset-offsets"})
		}
		r.setOffset(t, 5, "") // as the error says
		run := r.start(true, commitOften, withCommits(a, r, true))
		kafkatest.Eventually(t, "the rest to be committed", func() bool { return r.committed()[0] == 10 })
		run.stop()
		if err := run.end(); err != nil {
			t.Errorf("instance ended with %v", err)
		}
	})
}
