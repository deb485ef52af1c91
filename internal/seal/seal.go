// Package seal encrypts the personal texts of orders where the bridge keeps them: in
// its internal topics, in its group tables, and in the local state of those.
//
// What belongs here: keys, and how a text is sealed and opened. What does not: which
// records are sealed when; see mapping.Personal.
//
// A sealed text is AES-256-GCM under one of the keys of a file, and names the key. It is
// bound to the order that it is of: the texts of one order do not open as another's.
//
// Sealing is deterministic: the nonce is a keyed hash of everything that is sealed, so
// that a nonce never stands for two different texts, however often a row is written and
// by however many instances, and that an unchanged row keeps its bytes. What it tells is
// that the same texts of the same order were written before.
package seal

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"os"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

const (
	// keySize is that of a key in the file, in bytes.
	keySize = 32
	// nonceSize is what AES-GCM takes, in bytes.
	nonceSize = 12
)

// Keys seal with the first key of their file and open with all. Nil Keys seal nothing.
// They are safe for concurrent use.
type Keys struct {
	sealing *key
	byID    map[string]*key
}

type key struct {
	id     string
	aead   cipher.AEAD
	nonces sync.Pool // of hash.Hash, keyed
}

// Load reads a file of keys. Each line has the id of a key, a space, and 32 bytes in
// base64, as `openssl rand -base64 32` prints them. Empty lines and lines that begin
// with # do not count. Errors tell the line, and nothing of what is in it.
func Load(path string) (*Keys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

func parse(data []byte) (*Keys, error) {
	keys := &Keys{byID: map[string]*key{}}
	secrets := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 2 || !keyID.MatchString(fields[0]) {
			return nil, fmt.Errorf("line %d: want the id of a key (1 to 32 letters, digits, dots, dashes), a space, and the key in base64", n)
		}
		id := fields[0]
		secret, err := base64.StdEncoding.DecodeString(fields[1])
		switch {
		case err != nil || len(secret) != keySize:
			return nil, fmt.Errorf("line %d: the key is not %d bytes in base64; make one with: openssl rand -base64 %d", n, keySize, keySize)
		case keys.byID[id] != nil:
			return nil, fmt.Errorf("line %d: key %s is there twice", n, id)
		case secrets[string(secret)] != "":
			return nil, fmt.Errorf("line %d: key %s is the same as key %s", n, id, secrets[string(secret)])
		}
		k, err := newKey(id, secret)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		secrets[string(secret)], keys.byID[id] = id, k
		if keys.sealing == nil {
			keys.sealing = k
		}
	}
	if err := lines.Err(); err != nil {
		return nil, errors.New("a line is too long for a key")
	}
	if keys.sealing == nil {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}

func newKey(id string, secret []byte) (*key, error) {
	texts, err := hkdf.Key(sha256.New, secret, nil, "vibe-bridge personal texts", keySize)
	if err != nil {
		return nil, err
	}
	nonces, err := hkdf.Key(sha256.New, secret, nil, "vibe-bridge nonces", keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(texts)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &key{id: id, aead: aead, nonces: sync.Pool{New: func() any { return hmac.New(sha256.New, nonces) }}}, nil
}

// Sealing is the id of the key that seals; "" for nil Keys.
func (k *Keys) Sealing() string {
	if k == nil {
		return ""
	}
	return k.sealing.id
}

// KeyOf is the id of the key that facts are sealed with; "" when they are not sealed.
func KeyOf(f *statepb.OrderFacts) string { return f.GetSealed().GetKey() }

// Seal takes the personal texts out of the facts of the order at a key of the gate,
// and puts them back in sealed.
func (k *Keys) Seal(at string, f *statepb.OrderFacts) error {
	if k == nil || f == nil {
		return nil
	}
	if f.Sealed != nil {
		return errors.New("the personal texts of an order are sealed already")
	}
	personal := &statepb.Personal{Customer: f.Customer, Tickets: make([]*statepb.Personal_Ticket, len(f.Tickets))}
	texts := make([]statepb.Personal_Ticket, len(f.Tickets))
	for i, t := range f.Tickets {
		texts[i].Barcode, texts[i].Serial = t.Barcode, t.Serial
		personal.Tickets[i] = &texts[i]
	}
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(personal)
	if err != nil {
		return errors.New("the personal texts of an order are not UTF-8") // the error would show them
	}
	f.Sealed = &statepb.Sealed{Key: k.sealing.id, Text: k.sealing.seal(at, plain)}
	f.Customer = nil
	for _, t := range f.Tickets {
		t.Barcode, t.Serial = "", ""
	}
	return nil
}

// Open puts the personal texts back into facts that Seal was given with the same key of
// the gate. Facts that are not sealed stay as they are. Its error says nothing of the texts.
func (k *Keys) Open(at string, f *statepb.OrderFacts) error {
	if f.GetSealed() == nil {
		return nil
	}
	id := f.Sealed.Key
	if k == nil {
		return fmt.Errorf("the personal texts of an order are sealed with key %q, and no keys are configured: set encryption.keys_file", id)
	}
	key := k.byID[id]
	if key == nil {
		return fmt.Errorf("the personal texts of an order are sealed with key %q, which encryption.keys_file has not: put that key back", id)
	}
	plain, err := key.open(at, f.Sealed.Text)
	if err != nil {
		return fmt.Errorf("the personal texts of an order do not open with key %q: encryption.keys_file has another key of that id, or something else has written the record", id)
	}
	var personal statepb.Personal
	if err := proto.Unmarshal(plain, &personal); err != nil || len(personal.Tickets) != len(f.Tickets) {
		return errors.New("the sealed personal texts of an order are not those of its tickets: another version of the program has written the record")
	}
	f.Customer, f.Sealed = personal.Customer, nil
	for i, t := range personal.Tickets {
		f.Tickets[i].Barcode, f.Tickets[i].Serial = t.Barcode, t.Serial
	}
	return nil
}

func (k *key) seal(at string, plain []byte) []byte {
	bound := []byte(at)
	out := make([]byte, nonceSize, nonceSize+len(plain)+k.aead.Overhead())
	k.nonce(out, bound, plain)
	return k.aead.Seal(out, out, plain, bound)
}

func (k *key) open(at string, text []byte) ([]byte, error) {
	if len(text) < nonceSize {
		return nil, errors.New("too short")
	}
	return k.aead.Open(nil, text[:nonceSize], text[nonceSize:], []byte(at))
}

// nonce is the keyed hash of what is sealed and of what it is bound to, cut short.
func (k *key) nonce(out, bound, plain []byte) {
	h := k.nonces.Get().(hash.Hash)
	defer k.nonces.Put(h)
	h.Reset()
	length := uint64(len(bound))
	var sum [sha256.Size]byte
	for i := range 8 {
		sum[i] = byte(length >> (8 * i))
	}
	h.Write(sum[:8])
	h.Write(bound)
	h.Write(plain)
	copy(out[:nonceSize], h.Sum(sum[:0]))
}
