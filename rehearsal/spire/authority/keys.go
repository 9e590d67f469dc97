// Package authority holds the server's CA and JWT keys: it makes, rotates, taints and revokes them as
// SPIRE's CA manager does, publishes them in the server's own bundle, and signs X.509-SVIDs.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"agentweave-mesh/rehearsal/spire/store"
)

// Keys are the private keys, by id: in a file of mode 0600 (KeyManager "disk") or in memory alone.
type Keys struct {
	path string
	keys map[string]*ecdsa.PrivateKey
}

// OpenKeys reads the keys in the file at path; an empty path keeps keys in memory.
func OpenKeys(path string) (*Keys, error) {
	k := &Keys{path: path, keys: map[string]*ecdsa.PrivateKey{}}
	if path == "" {
		return k, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	var saved map[string][]byte
	if err == nil {
		err = json.Unmarshal(data, &saved)
	}
	if err != nil {
		return nil, fmt.Errorf("keymanager(disk): %w", err)
	}
	for id, der := range saved {
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("keymanager(disk): key %s: %w", id, err)
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("keymanager(disk): key %s is not an EC key", id)
		}
		k.keys[id] = ec
	}
	return k, nil
}

// Generate makes a P-256 key under this id, in place of the one that had it.
func (k *Keys) Generate(id string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k.keys[id] = key
	return key, k.save()
}

// Get returns the key of this id, or nil.
func (k *Keys) Get(id string) crypto.Signer {
	if key, ok := k.keys[id]; ok {
		return key
	}
	return nil
}

func (k *Keys) save() error {
	if k.path == "" {
		return nil
	}
	saved := map[string][]byte{}
	for id, key := range k.keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		saved[id] = der
	}
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(k.path), 0o750); err != nil {
		return err
	}
	return store.Replace(k.path, data)
}
