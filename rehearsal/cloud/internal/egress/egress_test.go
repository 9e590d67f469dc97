package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

var cloud = &config.Config{Address: "127.93.8.1", PodCIDR: "10.20.0.0/16"}

// serve starts the proxy and returns its socket.
func serve(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "egress.sock")
	if err := Serve(t.Context(), cloud, socket); err != nil {
		t.Fatal(err)
	}
	return socket
}

// pod listens where the pod of an octet does, and answers its first caller with a line, twice: at once and when that has ended. It
// returns its port.
func pod(t *testing.T, octet int) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(cloud.Local(octet), "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		fmt.Fprintln(connection, "hello")
		asked, _ := io.ReadAll(connection)
		fmt.Fprintf(connection, "%s?\n", asked)
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// dial asks for a connection as the API server does.
func dial(t *testing.T, socket, method, address string) (*net.UnixConn, *bufio.Reader, *http.Response) {
	t.Helper()
	connection, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", method, address)
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return connection.(*net.UnixConn), reader, answer
}

func TestAPodIsReachedByTheAddressThatTheAPIHas(t *testing.T) {
	socket, port := serve(t), pod(t, 21)
	connection, reader, answer := dial(t, socket, http.MethodConnect, net.JoinHostPort(cloud.PodIP(21), port))
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	if line, err := reader.ReadString('\n'); line != "hello\n" {
		t.Fatal(line, err)
	}
	fmt.Fprint(connection, "who")
	_ = connection.CloseWrite()
	if rest, err := io.ReadAll(reader); string(rest) != "who?\n" {
		t.Errorf("%q after the caller's end, %v", rest, err)
	}
}

func TestAnythingElseIsReachedAsItIs(t *testing.T) {
	socket, port := serve(t), pod(t, 1)
	_, reader, _ := dial(t, socket, http.MethodConnect, net.JoinHostPort(cloud.Address, port))
	if line, err := reader.ReadString('\n'); line != "hello\n" {
		t.Error(line, err)
	}
}

func TestWhatCannotBeReachedIsRefusedWithItsReason(t *testing.T) {
	socket := serve(t)
	for _, address := range []string{"10.20.3.4:80", net.JoinHostPort(cloud.PodIP(22), "1"), "nonsense"} {
		if _, _, answer := dial(t, socket, http.MethodConnect, address); answer.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %s", address, answer.Status)
		}
	}
	if _, _, answer := dial(t, socket, http.MethodGet, "/"); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", answer.Status)
	}
}

func TestTheSocketOfAKilledPredecessorIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "egress.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := Serve(ctx, cloud, socket); err != nil {
		t.Error(err)
	}
}
