// Package store keeps what a SPIRE server keeps in its database: bundles, federation relationships,
// registration entries and the journal of its authorities. It is one JSON file, replaced as a whole.
package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Status of an authority, as in SPIRE's CA journal.
type Status string

const (
	Prepared Status = "prepared"
	Active   Status = "active"
	Old      Status = "old"
)

// Slot holds one authority: the CA or JWT key of one of the two places between which SPIRE alternates.
type Slot struct {
	// KeyID names the private key in the key store.
	KeyID string `json:"key_id"`
	// AuthorityID is the hex subject key identifier of a CA, or the key id of a JWT key; empty for an unused slot.
	AuthorityID string    `json:"authority_id,omitempty"`
	Status      Status    `json:"status,omitempty"`
	IssuedAt    time.Time `json:"issued_at"`
	NotAfter    time.Time `json:"not_after"`
	// Certificate is the CA's certificate in DER form; empty for a JWT key.
	Certificate []byte `json:"certificate,omitempty"`
}

// Usable says whether the slot holds an authority that signs, or will sign once it is activated.
func (s Slot) Usable() bool { return s.Status == Prepared || s.Status == Active }

// Pair is the authority in use and the one before or after it.
type Pair struct {
	Current Slot `json:"current"`
	Next    Slot `json:"next"`
}

// State is everything in the database. Bundles of relationships are in Bundles, not in the relationship.
type State struct {
	Bundles       []*types.Bundle
	Relationships []*types.FederationRelationship
	Entries       []*types.Entry
	X509, JWT     Pair
}

// Bundle returns the bundle of the trust domain of this name, or nil.
func (s *State) Bundle(trustDomain string) *types.Bundle {
	for _, b := range s.Bundles {
		if b.TrustDomain == trustDomain {
			return b
		}
	}
	return nil
}

// SetBundle adds a bundle, or replaces the one of the same trust domain.
func (s *State) SetBundle(bundle *types.Bundle) {
	for i, b := range s.Bundles {
		if b.TrustDomain == bundle.TrustDomain {
			s.Bundles[i] = bundle
			return
		}
	}
	s.Bundles = append(s.Bundles, bundle)
}

// Relationship returns the federation relationship with a trust domain, or nil.
func (s *State) Relationship(trustDomain string) *types.FederationRelationship {
	for _, r := range s.Relationships {
		if r.TrustDomain == trustDomain {
			return r
		}
	}
	return nil
}

// Entry returns the registration entry of this id, or nil.
func (s *State) Entry(id string) *types.Entry {
	for _, e := range s.Entries {
		if e.Id == id {
			return e
		}
	}
	return nil
}

// Store is safe for concurrent use.
type Store struct {
	mu    sync.RWMutex
	path  string
	saved []byte
	// lost is set once the file has gone under a running server. SPIRE then goes on with the deleted
	// sqlite file, which is gone at the next start; writing the file anew would bring it back.
	lost bool
}

// Open reads the file at path, or starts empty where there is none.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("datastore: %w", err)
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		data, _ = encode(&State{})
		if err := Replace(path, data); err != nil {
			return nil, fmt.Errorf("datastore: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("datastore: %w", err)
	}
	if _, err := decode(data); err != nil {
		return nil, fmt.Errorf("datastore: %s is not a state file of the stand-in: %w", path, err)
	}
	s.saved = data
	return s, nil
}

// Read returns a copy of the state.
func (s *Store) Read() *State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	state, err := decode(s.saved)
	if err != nil {
		panic(err) // saved was written by encode or checked by Open
	}
	return state
}

// Update applies change to a copy of the state and saves it; after an error nothing has changed.
func (s *Store) Update(change func(*State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := decode(s.saved)
	if err != nil {
		return err
	}
	if err := change(state); err != nil {
		return err
	}
	data, err := encode(state)
	if err != nil {
		return err
	}
	if bytes.Equal(data, s.saved) {
		return nil
	}
	if _, err := os.Stat(s.path); errors.Is(err, os.ErrNotExist) {
		s.lost = true
	}
	if !s.lost {
		if err := Replace(s.path, data); err != nil {
			return fmt.Errorf("datastore: %w", err)
		}
	}
	s.saved = data
	return nil
}

// Replace writes a file of mode 0600 in one step: a reader sees the old or the new content, never a part.
func Replace(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // has no effect after the rename
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

type document struct {
	Bundles       []json.RawMessage `json:"bundles"`
	Relationships []json.RawMessage `json:"federation_relationships"`
	Entries       []json.RawMessage `json:"entries"`
	X509          Pair              `json:"x509_authorities"`
	JWT           Pair              `json:"jwt_authorities"`
}

func encode(s *State) ([]byte, error) {
	bundles, err1 := encodeAll(s.Bundles)
	relationships, err2 := encodeAll(s.Relationships)
	entries, err3 := encodeAll(s.Entries)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return json.MarshalIndent(document{bundles, relationships, entries, s.X509, s.JWT}, "", "  ")
}

func decode(data []byte) (*State, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	bundles, err1 := decodeAll[types.Bundle](d.Bundles)
	relationships, err2 := decodeAll[types.FederationRelationship](d.Relationships)
	entries, err3 := decodeAll[types.Entry](d.Entries)
	return &State{bundles, relationships, entries, d.X509, d.JWT}, errors.Join(err1, err2, err3)
}

func encodeAll[M proto.Message](messages []M) ([]json.RawMessage, error) {
	all := make([]json.RawMessage, len(messages))
	for i, message := range messages {
		data, err := protojson.Marshal(message)
		if err != nil {
			return nil, err
		}
		all[i] = data
	}
	return all, nil
}

func decodeAll[T any, M interface {
	*T
	proto.Message
}](all []json.RawMessage) ([]M, error) {
	messages := make([]M, len(all))
	for i, data := range all {
		messages[i] = M(new(T))
		if err := protojson.Unmarshal(data, messages[i]); err != nil {
			return nil, err
		}
	}
	return messages, nil
}
