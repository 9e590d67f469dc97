package services

import (
	"slices"
	"sync"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// addresses gives each Service (namespace/name) an address of the cloud, for as long as the supervisor runs: pods may
// have it in their configuration, also before the Service exists and after it is made anew.
type addresses struct {
	mu    sync.Mutex
	free  []string
	byKey map[string]string
}

func newAddresses(c *config.Config) *addresses {
	a := &addresses{byKey: map[string]string{}}
	for octet := config.FirstService; octet <= config.LastService; octet++ {
		a.free = append(a.free, c.Local(octet))
	}
	return a
}

// keep gives a Service the address that it had before, if that is one of ours and free.
func (a *addresses) keep(key, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := slices.Index(a.free, address); at >= 0 {
		a.byKey[key], a.free = address, slices.Delete(a.free, at, at+1)
	}
}

// of returns a Service's address, the lowest free one at first; empty when none is left.
func (a *addresses) of(key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey[key] == "" && len(a.free) > 0 {
		a.byKey[key], a.free = a.free[0], a.free[1:]
	}
	return a.byKey[key]
}

// given returns the address of a Service that has asked for one, else nothing.
func (a *addresses) given(key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey[key]
}
