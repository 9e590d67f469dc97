package network

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test's processes are this same program in a part of its own, told by an environment variable: a world, which also
// dials for the operator, and clouds, which have a pod each that answers and dials. They obey lines on standard input
// and answer each with one line.
const partVariable = "NETWORK_TEST_PART"

// patience is how long a dial waits: longer than a working one takes, shorter than the kernel's own limits.
const patience = 2 * time.Second

const podOctet, podPort = 20, "8443"

func TestMain(m *testing.M) {
	part := strings.Fields(os.Getenv(partVariable))
	if len(part) == 0 {
		os.Exit(m.Run())
	}
	var err error
	switch part[0] {
	case "world":
		err = playWorld()
	case "cloud":
		pid, _ := strconv.Atoi(part[1])
		index, _ := strconv.Atoi(part[2])
		err = playCloud(pid, index)
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func playWorld() error {
	if err := MakeWorld(); err != nil {
		return err
	}
	return obey(func(words []string) error {
		switch words[0] {
		case "dial":
			return dial(words[1])
		case "link":
			index, _ := strconv.Atoi(words[1])
			return SetWan(index, words[2] == "up")
		case "again":
			return MakeWorld()
		case "join":
			_, err := Join(os.Getpid(), 7)
			return err
		case "links":
			return onlyLinks("lo", bridgeName)
		}
		return fmt.Errorf("unknown: %q", words)
	})
}

func playCloud(world, index int) error {
	cloud, err := Join(world, index)
	if err != nil {
		return err
	}
	defer cloud.Leave()
	pod, err := cloud.AddPod(podOctet, netip.AddrFrom4([4]byte{10, 20, 255, podOctet}))
	if err != nil {
		return err
	}
	defer pod.Remove()
	// The pod listens on any address, the cloud on the API server's.
	err = within(pod.Namespace, func() error { return answer("0.0.0.0:" + podPort) })
	if err == nil {
		err = answer(net.JoinHostPort(Address(index).String(), "6443"))
	}
	if err != nil {
		return err
	}
	return obey(func(words []string) error {
		switch words[0] {
		case "dial":
			return within(pod.Namespace, func() error { return dial(words[1]) })
		case "dial-from-node":
			return dial(words[1])
		case "remove-pod":
			return pod.Remove()
		}
		return fmt.Errorf("unknown: %q", words)
	})
}

func obey(do func(words []string) error) error {
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := do(strings.Fields(lines.Text())); err != nil {
			fmt.Println("failed:", err)
		} else {
			fmt.Println("done")
		}
	}
	return nil
}

// answer tells each caller its own address.
func answer(address string) error {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(connection, connection.RemoteAddr())
			connection.Close()
		}
	}()
	return nil
}

// dial expects to be seen under the address that it calls from.
func dial(address string) error {
	connection, err := net.DialTimeout("tcp4", address, patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience))
	seen, err := bufio.NewReader(connection).ReadString('\n')
	if err == nil && strings.TrimSpace(seen) != connection.LocalAddr().String() {
		err = fmt.Errorf("called from %s, seen as %s", connection.LocalAddr(), seen)
	}
	return err
}

func onlyLinks(wanted ...string) error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	var names []string
	for _, link := range links {
		names = append(names, link.Name)
	}
	if len(names) != len(wanted) {
		return fmt.Errorf("links: %v", names)
	}
	routes, err := exec.Command("ip", "-4", "route", "show", "table", "all").Output()
	if err == nil && strings.Contains(string(routes), "10.201.") {
		err = fmt.Errorf("routes are left: %s", routes)
	}
	return err
}
