#!/usr/bin/env bash
# sweep.sh NAME [leash]: ends all that runs in cgroup NAME of a rehearsal and takes its cgroups and network namespaces away. NAME is a rehearsal's
# id, <id>/<cloud>, or <id>/<cloud>/<node>. With `leash` it first waits for standard input: the word `detach` spares everything, its end without a word does not.
set -u
. "$(dirname "$0")/cgroups.sh"
name=$1
if [ "${2-}" = leash ]; then
  read -r word || word=
  [ "$word" != detach ] || exit 0
fi
for _ in $(seq 100); do
  left=$(processes "$name")
  [ -n "$left" ] || break
  kill -9 $left 2>/dev/null
  sleep 0.1
done
for hierarchy in $(hierarchies); do
  [ ! -d "$hierarchy/$name" ] || find "$hierarchy/$name" -depth -type d -exec rmdir {} + 2>/dev/null
done
for namespace in $(ip netns list | cut -d' ' -f1); do
  case $namespace in
    "${name//\//_}" | "${name//\//_}"_*)
      # The cable first: what still holds the namespace would keep it on the bridge, with an address that another node has by then.
      ip -n "$namespace" link del eth0 2>/dev/null
      ip netns del "$namespace"
      ;;
  esac
done
[ -z "$left" ] || { echo "still there: $(ps -o pid=,args= -p "${left//$'\n'/,}")" >&2; exit 1; }
