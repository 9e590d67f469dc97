package network

import (
	"net/netip"
	"testing"
)

func TestNoTwoCloudsAndNoTwoLinksShareAnAddress(t *testing.T) {
	taken := map[netip.Addr]int{bridgeAddress.Addr(): 0}
	for index := FirstIndex; index <= LastIndex; index++ {
		world, cloud := mgmtAddresses(index)
		for _, address := range []netip.Addr{Address(index), wanAddress(index).Addr(), world.Addr(), cloud.Addr()} {
			if !address.IsValid() {
				t.Fatalf("cloud %d has an invalid address", index)
			}
			if other, found := taken[address]; found {
				t.Errorf("%s is cloud %d's and cloud %d's", address, other, index)
			}
			taken[address] = index
		}
		if !bridgeAddress.Masked().Contains(wanAddress(index).Addr()) {
			t.Errorf("%s is not on the bridge", wanAddress(index))
		}
		if world.Masked() != cloud.Masked() {
			t.Errorf("%s and %s are not ends of one link", world, cloud)
		}
	}
}

func TestNamesOfLinksFitTheKernelsLimit(t *testing.T) {
	const longest = 15
	for _, name := range []string{wanName(LastIndex), mgmtName(LastIndex), podName(255), bridgeName} {
		if len(name) > longest {
			t.Errorf("%s is too long", name)
		}
	}
}

func TestACloudsAddressIsTheFirstOfItsRange(t *testing.T) {
	if got := Address(3).String(); got != "10.201.3.1" {
		t.Error(got)
	}
	if got := Range(200).String(); got != "10.201.200.0/24" {
		t.Error(got)
	}
}
