package attest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Peers returns the credentials of a gRPC server on a unix socket that learns which process is at the other end.
func Peers() credentials.TransportCredentials { return peers{} }

type peers struct{}

// caller is the process that opened a connection.
type caller struct {
	credentials.CommonAuthInfo
	pid int
}

func (caller) AuthType() string { return "peer-credentials" }

func (peers) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.New("not a unix socket")
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var ucred *syscall.Ucred
	failed := raw.Control(func(fd uintptr) {
		ucred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, nil, err
	}
	return conn, caller{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, int(ucred.Pid)}, nil
}

func (peers) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("for servers only")
}

func (peers) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peer-credentials"}
}
func (peers) Clone() credentials.TransportCredentials { return peers{} }
func (peers) OverrideServerName(string) error         { return nil }

// callerPID is the process at the other end of a call's connection.
func callerPID(ctx context.Context) (int, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(caller); ok {
			return c.pid, nil
		}
	}
	return 0, errors.New("the call's connection has no peer credentials")
}

// podDirectory is the name, below the directory of pods, of the directory in which a process or the nearest of its
// ancestors works; empty where none does.
func podDirectory(pods string, pid int) (string, error) {
	for pid > 1 {
		directory, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if errors.Is(err, fs.ErrPermission) {
			return "", nil // a process of somebody else: local pods run as this user
		}
		if err != nil {
			return "", err
		}
		if below, err := filepath.Rel(pods, directory); err == nil && filepath.IsLocal(below) && below != "." {
			name, _, _ := strings.Cut(below, string(filepath.Separator))
			return name, nil
		}
		if pid, err = parent(pid); err != nil {
			return "", err
		}
	}
	return "", nil
}

func parent(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "PPid:"); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("the status of process %d names no parent", pid)
}
