#!/usr/bin/env bash
# node.sh DIR: the first process of a node. It mounts what a machine of its own has, and keeps containerd, kubelet, kube-proxy and the others
# running. What the node keeps is below DIR; kubeadm makes a control plane there, or joins its cloud's, once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
. "$dir/node.env"
export PATH=$BIN:$PATH KUBECONFIG=$CLOUD_DIR/kubeconfig
hostname "$NODE"

# cgroups: those below the node's own, as if there were no others.
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t sysfs sysfs /sys
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init
  echo 0 >/sys/fs/cgroup/init/cgroup.procs
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
  done
else
  controllers=$(findmnt -rno TARGET,FS-OPTIONS -t cgroup | sed 's/ .*,name=/ name=/; s/ rw,/ /')
  mount -t sysfs sysfs /sys
  mount -t tmpfs tmpfs /sys/fs/cgroup
  while read -r target options; do
    mkdir -p "$target"
    mount -t cgroup -o "${options/name=/none,name=}" cgroup "$target"
  done <<<"$controllers"
fi

# Directories of its own at their real places.
mount -t tmpfs tmpfs /run
mkdir -p "$dir"/{lib,log,volumes,etc,etc.work} /run/netns
mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc,workdir=$dir/etc.work" etc /etc
mount --bind "$dir/lib" /var/lib
mount --bind "$dir/log" /var/log
mkdir -p /etc/containerd/certs.d/_default /etc/cni/net.d
cp "$dir/containerd.toml" /etc/containerd/config.toml
cp "$dir/hosts.toml" /etc/containerd/certs.d/_default/hosts.toml
cp "$dir/pods.conflist" /etc/cni/net.d/10-pods.conflist
echo "nameserver $WORLD" >/etc/resolv.conf

# Settings of the whole machine that a kubelet wants otherwise: it finds them as it wants them.
mkdir /run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/sysctl/$(tr / _ <<<"${setting%=*}")
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
mount --make-rshared /
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter

# keep NAME COMMAND…: runs it again whenever it ends.
keep() {
  local name=$1
  shift
  while :; do
    "$@" || true
    sleep 1
  done >>"$dir/log/$name.log" 2>&1 &
}
kubelet_() {
  local KUBELET_KUBEADM_ARGS=
  [ -f /var/lib/kubelet/config.yaml ] || return 0 # kubeadm writes it
  . /var/lib/kubelet/kubeadm-flags.env
  # shellcheck disable=SC2086 # several arguments
  kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
    --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
}
keep containerd containerd
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
keep kubelet kubelet_
kubeadm_() {
  kubeadm "$@" --config="$dir/kubeadm.yaml" >>"$dir/log/kubeadm.log" 2>&1 || { echo "kubeadm $1 failed: $dir/log/kubeadm.log" >&2; exit 1; }
}
# Anew, if an earlier life ended in the middle of it.
if [ ! -f "$dir/ready" ]; then
  if [ "$dir" = "$CLOUD_DIR" ]; then
    kubeadm_ init --skip-phases=preflight,addon/kube-proxy # it goes on from what is there
    (
      umask 077
      kubeadm kubeconfig user --config="$dir/kubeadm.yaml" --client-name=system:kube-proxy >"$dir/kube-proxy.conf" 2>>"$dir/log/kubeadm.log"
      cp /etc/kubernetes/admin.conf "$dir/kubeconfig"
    )
    kubectl config rename-context "kubernetes-admin@$CLOUD" "$CLOUD-cluster" >>"$dir/log/kubeadm.log"
    kubectl -n kube-system scale deployment coredns --replicas=1 >>"$dir/log/kubeadm.log"
    kubectl apply -f "$here/cloud.yaml" >>"$dir/log/kubeadm.log"
  else
    # It would refuse the name of a node that is there; whoever has this file has joined.
    [ -f /etc/kubernetes/kubelet.conf ] || kubeadm_ join --skip-phases=preflight
    kubectl -n kube-system scale deployment coredns --replicas=2 >>"$dir/log/kubeadm.log" # as many as kubeadm would have
  fi
  touch "$dir/ready"
fi
keep kube-proxy kube-proxy --config="$dir/kube-proxy.yaml" --hostname-override="$NODE"
keep kube-router kube-router --run-firewall --run-router=false --run-service-proxy=false --run-loadbalancer=false --enable-cni=false \
  --kubeconfig="$KUBECONFIG" --hostname-override="$NODE" --service-cluster-ip-range="$SERVICES" --service-external-ip-range="$LOAD_BALANCERS"
if [ "$dir" = "$CLOUD_DIR" ]; then
  keep volumes bash "$here/volumes.sh" "$dir/volumes"
  keep load-balancers bash "$here/load-balancers.sh" "${LOAD_BALANCERS%.*}"
fi
while :; do wait -n || sleep 0.5; done
