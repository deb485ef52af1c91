package once

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Sizes. Together they bound what the rows take of memory, however many there are.
const (
	cacheBytes    = 64 << 20 // of blocks; Pebble accounts its memtables in it
	memTableBytes = 16 << 20
	maxOpenFiles  = 500
	bloomBits     = 10

	// So many changed rows are kept until they are written, in one batch with the
	// positions that they stand for. Events and partners change many times in a row.
	mostPending = 4096
	// So many tickets, facts and faults, about 200 bytes each, as some rows have thousands.
	mostPendingParts = 200_000
)

// The database holds, by the first byte of a key:
//
//	r stream length id side                            the side of a row (rowpb.Side)
//	q stream partition offset partition stage 0 reason  what the quarantine topic says of a legacy record
//	p                                                  progress, as JSON
//
// The sides of a row lie beside each other, and are three values: a side is read
// without the others while records are taken.
const (
	rowSpace        = 'r'
	quarantineSpace = 'q'
	progressSpace   = 'p'
)

// store keeps rows and positions. What is put is written by commit, all of it or
// nothing: after a crash the rows are those of the positions.
type store struct {
	db      *pebble.DB
	cache   *pebble.Cache
	sides   map[string]changedSide // since the last commit
	parts   int                    // of all of them
	noted   map[string]note        // likewise
	scratch []byte
}

// changedSide is one that is not written yet.
type changedSide struct {
	side  *rowpb.Side
	parts int // tickets, facts and faults
}

func openStore(dir string, fs vfs.FS) (*store, error) {
	cache := pebble.NewCache(cacheBytes)
	o := &pebble.Options{
		FS: fs, Cache: cache, MemTableSize: memTableBytes, MaxOpenFiles: maxOpenFiles,
		FormatMajorVersion: pebble.FormatWALSyncChunks, Logger: quiet{},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits) // most rows that are asked for are new ones
	}
	db, err := pebble.Open(dir, o)
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &store{db: db, cache: cache, sides: map[string]changedSide{}, noted: map[string]note{}}, nil
}

func (s *store) close() error {
	err := s.db.Close()
	s.cache.Unref()
	return err
}

// quiet: what Pebble reports while it works holds keys. Fatalf must not return.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func rowPrefix(b []byte, stream compare.Stream, id string) []byte {
	b = append(b, rowSpace, byte(stream))
	b = binary.AppendUvarint(b, uint64(len(id)))
	return append(b, id...)
}

// parseRow is the inverse of rowPrefix with a side behind it.
func parseRow(key []byte) (id string, side Side, ok bool) {
	if len(key) < 3 {
		return "", 0, false
	}
	n, used := binary.Uvarint(key[2:])
	if used <= 0 || uint64(len(key)-2-used) != n+1 {
		return "", 0, false
	}
	return string(key[2+used : len(key)-1]), Side(key[len(key)-1]), true
}

// side is nil where there is none. Whoever changes it calls put.
func (s *store) side(key []byte) (*rowpb.Side, error) {
	if changed, ok := s.sides[string(key)]; ok {
		return changed.side, nil
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	return decodeSide(value, closer)
}

func decodeSide(value []byte, closer io.Closer) (*rowpb.Side, error) {
	side := &rowpb.Side{}
	if err := errors.Join(proto.Unmarshal(value, side), closer.Close()); err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	return side, nil
}

func (s *store) put(key []byte, side *rowpb.Side) {
	parts := len(side.GetItems()) + len(side.GetFacts()) + len(side.GetFaults())
	s.parts += parts - s.sides[string(key)].parts
	s.sides[string(key)] = changedSide{side, parts}
}

// full: it is time for a commit.
func (s *store) full() bool {
	return len(s.sides)+len(s.noted) >= mostPending || s.parts >= mostPendingParts
}

// commit writes what was put, and progress with it. It does not wait for the disk:
// what a power loss takes is read again.
func (s *store) commit(p *progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	batch := s.db.NewBatch()
	for key, changed := range s.sides {
		if s.scratch, err = (proto.MarshalOptions{}).MarshalAppend(s.scratch[:0], changed.side); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
		if err := batch.Set([]byte(key), s.scratch, nil); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
	}
	for key, n := range s.noted {
		if err := batch.Set([]byte(key), n.encode(), nil); err != nil {
			return fmt.Errorf("write a row: %w", err)
		}
	}
	if err := batch.Set([]byte{progressSpace}, text, nil); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	clear(s.sides)
	s.parts = 0
	clear(s.noted)
	return nil
}

func (s *store) progress() (*progress, error) {
	p := newProgress()
	value, closer, err := s.db.Get([]byte{progressSpace})
	if errors.Is(err, pebble.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	if err := errors.Join(json.Unmarshal(value, p), closer.Close()); err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	return p, nil
}

// eachRow visits the rows of a stream in the order of their keys. Sides that there are
// not are nil.
func (s *store) eachRow(stream compare.Stream, visit func(id string, sides *[sides]*rowpb.Side) error) error {
	lower, upper := []byte{rowSpace, byte(stream)}, []byte{rowSpace, byte(stream) + 1}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	err = eachGroup(it, visit)
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return nil
}

func eachGroup(it *pebble.Iterator, visit func(id string, sides *[sides]*rowpb.Side) error) error {
	var row [sides]*rowpb.Side
	last, any := "", false
	for it.First(); it.Valid(); it.Next() {
		id, side, ok := parseRow(it.Key())
		if !ok || side >= sides {
			return errors.New("a key that is none")
		}
		if any && id != last {
			if err := visit(last, &row); err != nil {
				return err
			}
			row = [sides]*rowpb.Side{}
		}
		last, any = id, true
		row[side] = &rowpb.Side{}
		if err := proto.Unmarshal(it.Value(), row[side]); err != nil {
			return err
		}
	}
	if !any {
		return nil
	}
	return visit(last, &row)
}
