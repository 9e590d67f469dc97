# Sourced: where the kernel's cgroup hierarchies are, one of version 2 or one for each controller of version 1.

hierarchies() { findmnt -rno TARGET -t cgroup,cgroup2; }

# join NAME: moves this process into cgroup NAME of every hierarchy, which is made where it is missing.
join() {
  local hierarchy above place level controller
  for hierarchy in $(hierarchies); do
    place=$hierarchy
    for level in ${1//\// }; do
      above=$place place=$place/$level
      mkdir -p "$place"
      # Version 1: a cpuset without processors takes no process.
      if [ -f "$place/cpuset.mems" ] && [ ! -s "$above/cgroup.controllers" ]; then
        cat "$above/cpuset.cpus" >"$place/cpuset.cpus"
        cat "$above/cpuset.mems" >"$place/cpuset.mems"
        echo 1 >"$place/cgroup.clone_children"
      fi
      # Version 2: controllers are handed down one level at a time; in a container its own top has processes, and none are.
      if [ -f "$above/cgroup.subtree_control" ]; then
        for controller in $(cat "$above/cgroup.controllers"); do
          echo "+$controller" >"$above/cgroup.subtree_control" || true
        done 2>/dev/null
      fi
    done
    echo $$ >"$hierarchy/$1/cgroup.procs"
  done
}

# processes NAME: all that are in cgroup NAME or below, by process id.
processes() {
  local hierarchy
  for hierarchy in $(hierarchies); do
    find "$hierarchy/$1" -name cgroup.procs -exec cat {} + 2>/dev/null
  done | sort -un | sed "/^0$/d"
}
