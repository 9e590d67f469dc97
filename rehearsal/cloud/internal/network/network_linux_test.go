package network

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// twoClouds starts a world with two clouds, or skips where that is not allowed.
func twoClouds(t *testing.T) (world, first, second *player) {
	t.Helper()
	if text, err := exec.Command("unshare", "-rn", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: no network namespaces here: %v: %s", err, strings.TrimSpace(string(text)))
	}
	world = cast(t, "world", "unshare", "--user", "--map-root-user", "--net", "--")
	cloud := func(index int) *player {
		enter := []string{"nsenter", "--user", "--net", "--preserve-credentials", "--target", fmt.Sprint(world.cmd.Process.Pid)}
		return cast(t, fmt.Sprintf("cloud %d %d", world.cmd.Process.Pid, index), append(enter, "--", "unshare", "--net", "--")...)
	}
	return world, cloud(1), cloud(2)
}

func expect(t *testing.T, what, got string, works bool) {
	t.Helper()
	if works != (got == "done") {
		t.Errorf("%s: want it to work: %v, got: %s", what, works, got)
	}
}

func TestPodsOfTwoCloudsReachEachOtherAndTheirOwn(t *testing.T) {
	world, first, second := twoClouds(t)
	expect(t, "pod to pod of another cloud", first.told("dial", "10.201.2.20:8443"), true)
	expect(t, "pod to pod of another cloud, back", second.told("dial", "10.201.1.20:8443"), true)
	expect(t, "pod to its cloud's API server", first.told("dial", "10.201.1.1:6443"), true)
	expect(t, "pod to another cloud's API server", first.told("dial", "10.201.2.1:6443"), true)
	expect(t, "pod to itself on loopback", first.told("dial", "127.0.0.1:8443"), true)
	expect(t, "node to its pod", first.told("dial-from-node", "10.201.1.20:8443"), true)
	expect(t, "node to its pod by the address of the pod range", first.told("dial-from-node", "10.20.255.20:8443"), true)
	expect(t, "node to a pod of another cloud", first.told("dial-from-node", "10.201.2.20:8443"), true)
	expect(t, "operator to an API server", world.told("dial", "10.201.2.1:6443"), true)
	expect(t, "operator to a pod", world.told("dial", "10.201.2.20:8443"), true)
	expect(t, "operator to an address of a pod range", world.told("dial", "10.20.255.20:8443"), false)
	expect(t, "pod to a port where nobody listens", first.told("dial", "10.201.2.20:8444"), false)
}

func TestACutLinkSeparatesACloudFromTheOthersAndNotFromItsOperator(t *testing.T) {
	world, first, second := twoClouds(t)
	expect(t, "cutting", world.told("link", "2", "down"), true)
	expect(t, "pod to the cloud that is cut off", first.told("dial", "10.201.2.20:8443"), false)
	expect(t, "pod to the API server of the cloud that is cut off", first.told("dial", "10.201.2.1:6443"), false)
	expect(t, "pod of the cloud that is cut off", second.told("dial", "10.201.1.20:8443"), false)
	expect(t, "pod of the cloud that is cut off to its own API server", second.told("dial", "10.201.2.1:6443"), true)
	expect(t, "operator to the API server of the cloud that is cut off", world.told("dial", "10.201.2.1:6443"), true)
	expect(t, "operator to a pod of the cloud that is cut off", world.told("dial", "10.201.2.20:8443"), false)

	expect(t, "mending", world.told("link", "2", "up"), true)
	expect(t, "pod to the cloud that was cut off", first.told("dial", "10.201.2.20:8443"), true)
	expect(t, "pod of the cloud that was cut off", second.told("dial", "10.201.1.20:8443"), true)
	expect(t, "cutting a cloud that is not there", world.told("link", "3", "down"), false)
}

func TestNothingOfACloudIsLeftInTheWorldWhenItHasEnded(t *testing.T) {
	world, first, second := twoClouds(t)
	expect(t, "removing a pod", second.told("remove-pod"), true)
	expect(t, "pod that is gone", first.told("dial", "10.201.2.20:8443"), false)
	first.leave()
	second.leave()
	expect(t, "nothing left", world.told("links"), true)
}

func TestAKilledCloudCanBeStartedAgainAtOnce(t *testing.T) {
	world, first, second := twoClouds(t)
	_ = second.cmd.Process.Kill()
	second.leave()
	again := cast(t, fmt.Sprintf("cloud %d 2", world.cmd.Process.Pid),
		"nsenter", "--user", "--net", "--preserve-credentials", "--target", fmt.Sprint(world.cmd.Process.Pid), "--", "unshare", "--net", "--")
	expect(t, "pod to the cloud that was started again", first.told("dial", "10.201.2.20:8443"), true)
	expect(t, "pod of the cloud that was started again", again.told("dial", "10.201.1.20:8443"), true)
}

func TestANetworkInUseIsRefusedAndLeftAsItIs(t *testing.T) {
	world, first, second := twoClouds(t)
	second.leave() // it is still refused with the bridge alone
	first.leave()
	for _, order := range []string{"again", "join"} {
		if got := world.told(order); !strings.Contains(got, "unshare --net") {
			t.Errorf("%s: %s", order, got)
		}
	}
	expect(t, "nothing has changed", world.told("links"), true)
}
