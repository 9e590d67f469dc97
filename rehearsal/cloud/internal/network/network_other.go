//go:build !linux

package network

import (
	"errors"
	"net/netip"
	"os"
)

var errLinux = errors.New("networks of their own for the clouds need Linux")

// Cloud is the network of one cloud.
type Cloud struct{}

// Pod is the network namespace of one pod.
type Pod struct{ Namespace *os.File }

func MakeWorld() error                                   { return errLinux }
func SetWan(int, bool) error                             { return errLinux }
func Join(int, int, ...netip.Prefix) (*Cloud, error)     { return nil, errLinux }
func (c *Cloud) AddPod(int, ...netip.Addr) (*Pod, error) { return nil, errLinux }
func (c *Cloud) Leave()                                  {}
func (p *Pod) Remove() error                             { return errLinux }
