// Package store keeps what a SPIRE server keeps in its database and key store: bundles, federation
// relationships, registration entries and authorities. It is one JSON file, replaced as a whole.
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
)

// Status of an authority, as in SPIRE's CA journal.
type Status string

const (
	Prepared Status = "prepared"
	Active   Status = "active"
	Old      Status = "old"
)

// Authority is a CA or a JWT key.
type Authority struct {
	// ID is the hex subject key identifier of a CA, or the key id of a JWT key.
	ID                 string
	Status             Status
	IssuedAt, NotAfter time.Time
	// Key is the private key in PKCS #8 form, Certificate the CA's in DER form.
	Key, Certificate []byte
}

// Pair is the authority in use and the one before or after it, which has no status where there is none.
type Pair struct{ Current, Next Authority }

// Relationship is a federation relationship with an https_spiffe endpoint; the bundle it keeps up to date is in State.Bundles.
type Relationship struct{ TrustDomain, URL, EndpointID string }

// State is everything there is. Bundles and relationships are by name of trust domain, entries by id.
type State struct {
	Bundles       map[string]*types.Bundle
	Relationships map[string]Relationship
	Entries       map[string]*types.Entry
	X509, JWT     Pair
}

// Store is safe for concurrent use.
type Store struct {
	mu      sync.RWMutex
	path    string
	saved   []byte
	changed chan struct{}
}

// Open reads the file at path, or starts empty where there is none.
func Open(path string) (*Store, error) {
	s := &Store{path: path, changed: make(chan struct{})}
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		s.saved, err = os.ReadFile(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		s.saved = []byte("{}")
		err = s.replace()
	}
	if err != nil {
		return nil, fmt.Errorf("datastore: %w", err)
	}
	if _, err := s.decode(); err != nil {
		return nil, fmt.Errorf("datastore: %s is not a state file of the stand-in: %w", path, err)
	}
	return s, nil
}

// Read returns a copy of the state.
func (s *Store) Read() *State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	state, err := s.decode()
	if err != nil {
		panic(err) // what is saved was encoded by Update or checked by Open
	}
	return state
}

// Changed returns a channel that is closed at the next change of the state.
func (s *Store) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Update applies change to a copy of the state and saves it; after an error nothing has changed.
func (s *Store) Update(change func(*State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := s.decode()
	if err != nil {
		return err
	}
	if err := change(state); err != nil {
		return err
	}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil || bytes.Equal(data, s.saved) {
		return err
	}
	s.saved = data
	close(s.changed)
	s.changed = make(chan struct{})
	// A file that has gone under a running server stays away: SPIRE goes on with the deleted sqlite
	// file, which is gone at the next start, and writing the file anew would bring it back.
	if _, err := os.Stat(s.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := s.replace(); err != nil {
		return fmt.Errorf("datastore: %w", err)
	}
	return nil
}

func (s *Store) decode() (*State, error) {
	state := &State{Bundles: map[string]*types.Bundle{}, Relationships: map[string]Relationship{}, Entries: map[string]*types.Entry{}}
	return state, json.Unmarshal(s.saved, state)
}

// replace writes the file, with mode 0600, in one step: a reader sees the old or the new content, never a part.
func (s *Store) replace() error {
	temporary, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // has no effect after the rename
	_, err = temporary.Write(s.saved)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), s.path)
}
