#!/usr/bin/env bash
# start-node.sh DIR: joins a node to the world, in whose network it is called, and becomes the process whose end is the node's end.
set -eu
. "$(dirname "$0")/cgroups.sh"
. "$1/node.env"
namespace=${CGROUP//\//_}
ip netns del "$namespace" 2>/dev/null || true # of an earlier life
ip netns add "$namespace"
ip link del "$LINK" 2>/dev/null || true
ip link add "$LINK" type veth peer name eth0 netns "$namespace"
ip link set "$LINK" master br0 up
ip -n "$namespace" link set lo up
ip -n "$namespace" address add "$ADDRESS/16" dev eth0
ip -n "$namespace" link set eth0 up
ip -n "$namespace" route add default via "$WORLD"
ip -n "$namespace" route add "$OTHER_PODS" via "$OTHER"
[ "$1" != "$CLOUD_DIR" ] || ip route replace "$LOAD_BALANCERS" via "$ADDRESS"
join "$CGROUP"
exec nsenter --net="/run/netns/$namespace" unshare --mount --pid --uts --ipc --cgroup --fork --kill-child --mount-proc \
  bash "$(dirname "$0")/node.sh" "$1"
