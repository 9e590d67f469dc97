package kubelet

import (
	"encoding/json"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func TestAPodThatGetsANewAddressLosesTheOldOne(t *testing.T) {
	stored := v1.PodStatus{PodIP: "10.20.255.21", PodIPs: []v1.PodIP{{IP: "10.20.255.21"}}, HostIPs: []v1.HostIP{{IP: "127.0.11.1"}}}
	next := v1.PodStatus{PodIP: "10.20.255.22", PodIPs: []v1.PodIP{{IP: "10.20.255.22"}}, HostIPs: []v1.HostIP{{IP: "127.0.11.1"}}}
	patch, err := twoWayPatch("uid", ownStatus(stored), next)
	if err != nil {
		t.Fatal(err)
	}
	object, err := json.Marshal(v1.Pod{Status: stored})
	if err != nil {
		t.Fatal(err)
	}
	patched, err := strategicpatch.StrategicMergePatch(object, patch, v1.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	var pod v1.Pod
	if err := json.Unmarshal(patched, &pod); err != nil {
		t.Fatal(err)
	}
	if ips := pod.Status.PodIPs; len(ips) != 1 || ips[0].IP != "10.20.255.22" || len(pod.Status.HostIPs) != 1 {
		t.Errorf("the pod has addresses %v on %v", ips, pod.Status.HostIPs)
	}
}
