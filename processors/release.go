package processors

import (
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// releaseLineEvery is how often a group tells that it releases what waited.
const releaseLineEvery = 10 * time.Second

// tellRelease says, once in a while, that a release goes on to another page: there are
// so many that an operator may wonder.
func (g *group) tellRelease(s *mapping.Scan, partition int32, st *store.Store) {
	now, last := time.Now().UnixNano(), g.releaseTold.Load()
	if !s.Waiting || now-last < int64(releaseLineEvery) || !g.releaseTold.CompareAndSwap(last, now) {
		return
	}
	event, _, _ := mapping.IDs(s.Parent())
	g.b.log.Info("releasing what waits for an event", "event", ShownID(event), "partition", partition, "waiting_in_partition", st.WaitingCount())
}
