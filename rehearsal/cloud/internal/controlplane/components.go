package controlplane

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// component is one program of the control plane.
type component struct {
	name   string
	binary string
	args   []string
	// ports that it listens on, all on the cloud's address; the first one tells that it is up.
	ports []int
}

func at(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

func etcd(c *config.Config, pki PKI) component {
	client, peer := "https://"+at(c.Address, config.EtcdPort), "https://"+at(c.Address, config.EtcdPeerPort)
	return component{"etcd", c.Binaries.Etcd, []string{
		"--name=" + c.Name, "--data-dir=" + filepath.Join(c.Dir, "etcd"), "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + c.Name + "=" + peer,
		"--client-cert-auth", "--trusted-ca-file=" + pki.Cert("ca"), "--cert-file=" + pki.Cert("etcd"), "--key-file=" + pki.Key("etcd"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + pki.Cert("ca"), "--peer-cert-file=" + pki.Cert("etcd"), "--peer-key-file=" + pki.Key("etcd"),
		// A rehearsal survives the loss of its processes, not of its machine; three clouds on one disk are slow to sync.
		"--unsafe-no-fsync",
	}, []int{config.EtcdPort, config.EtcdPeerPort}}
}

func apiServer(c *config.Config, pki PKI) component {
	return component{"kube-apiserver", c.Binaries.KubeApiserver, []string{
		"--bind-address=" + c.Address, fmt.Sprintf("--secure-port=%d", config.APIServerPort), "--advertise-address=" + c.Address,
		// The address is a loopback one, which the `kubernetes` Service's endpoints must not have.
		"--endpoint-reconciler-type=none",
		"--etcd-servers=https://" + at(c.Address, config.EtcdPort), "--etcd-cafile=" + pki.Cert("ca"),
		"--etcd-certfile=" + pki.Cert("etcd"), "--etcd-keyfile=" + pki.Key("etcd"),
		"--tls-cert-file=" + pki.Cert("kube-apiserver"), "--tls-private-key-file=" + pki.Key("kube-apiserver"),
		"--client-ca-file=" + pki.Cert("ca"), "--authorization-mode=Node,RBAC", "--allow-privileged",
		"--kubelet-certificate-authority=" + pki.Cert("ca"), "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + pki.Cert("kubelet-client"), "--kubelet-client-key=" + pki.Key("kubelet-client"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki.Key("service-account"), "--service-account-signing-key-file=" + pki.Key("service-account"),
		"--service-cluster-ip-range=" + c.ServiceCIDR, "--profiling=false", "--egress-selector-config-file=" + egressFile(c),
	}, []int{config.APIServerPort}}
}

func egressFile(c *config.Config) string { return filepath.Join(c.Dir, "egress.json") }

// writeEgress tells the API server by which way it reaches kubelets and pods.
func writeEgress(c *config.Config) error {
	type object = map[string]any
	text, err := json.Marshal(object{
		"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
		"egressSelections": []object{{"name": "cluster", "connection": object{
			"proxyProtocol": "HTTPConnect", "transport": object{"uds": object{"udsName": config.EgressSocket}},
		}}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(egressFile(c), text, 0o600)
}

func controllerManager(c *config.Config, pki PKI) component {
	kubeconfig := kubeconfigOf(pki, "kube-controller-manager")
	pods := netip.MustParsePrefix(c.PodCIDR)
	return component{"kube-controller-manager", c.Binaries.KubeControllerManager, []string{
		"--bind-address=" + c.Address, fmt.Sprintf("--secure-port=%d", config.ControllerManagerPort),
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false", "--use-service-account-credentials", "--cluster-name=" + c.Name,
		"--root-ca-file=" + pki.Cert("ca"), "--service-account-private-key-file=" + pki.Key("service-account"),
		"--cluster-signing-cert-file=" + pki.Cert("ca"), "--cluster-signing-key-file=" + pki.Key("ca"),
		"--allocate-node-cidrs", "--cluster-cidr=" + c.PodCIDR, "--service-cluster-ip-range=" + c.ServiceCIDR,
		// A small range still has room for some nodes; its last /24 belongs to the pods that really run.
		fmt.Sprintf("--node-cidr-mask-size=%d", max(24, pods.Bits()+5)),
		// A claim whose first binding meets a conflict waits for the next round: 15 s by default.
		"--pvclaimbinder-sync-period=1s", "--profiling=false",
	}, []int{config.ControllerManagerPort}}
}

func scheduler(c *config.Config, pki PKI) component {
	kubeconfig := kubeconfigOf(pki, "kube-scheduler")
	return component{"kube-scheduler", c.Binaries.KubeScheduler, []string{
		"--bind-address=" + c.Address, fmt.Sprintf("--secure-port=%d", config.SchedulerPort),
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false", "--profiling=false",
		// A pod that was looked at while its claim was being bound may miss that it is bound (kubernetes/kubernetes, issue 87145), and then waits for 5 min by default.
		"--pod-max-in-unschedulable-pods-duration=10s",
	}, []int{config.SchedulerPort}}
}

func kwok(c *config.Config, pki PKI, stages string) component {
	return component{"kwok", c.Binaries.Kwok, []string{
		"--kubeconfig=" + kubeconfigOf(pki, "kwok"), "--config=" + stages, "--manage-all-nodes", "--cidr=" + c.PodCIDR,
		// The nodes' kubelet is the supervisor's, so that `kubectl exec` reaches real processes; kwok's own is never called.
		"--node-ip=" + c.Address, fmt.Sprintf("--node-port=%d", config.KubeletPort), "--server-address=" + at(c.Address, config.KwokPort),
		"--node-lease-duration-seconds=40",
	}, []int{config.KwokPort}}
}

func kubeconfigOf(pki PKI, user string) string { return filepath.Join(pki.dir, user+".kubeconfig") }
