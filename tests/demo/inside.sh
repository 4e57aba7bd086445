#!/bin/sh
# Runs inside the demo's container and prints what it sees; demo.sh checks it.
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }

echo "Ids: root here, an ordinary user on the host"
echo "  id: $(id)"
echo "  uid_map: $(echo $(cat /proc/self/uid_map))"
echo "  gid_map: $(echo $(cat /proc/self/gid_map))"
echo
echo "Capabilities: none, in any of the five sets"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do echo "  $set: $(status $set)"; done
echo
echo "System calls: a filter, and no way to gain privileges by execve"
echo "  NoNewPrivs: $(status NoNewPrivs)"
echo "  Seccomp: $(status Seccomp)"
echo
echo "Namespaces: each one is new"
for ns in cgroup ipc mnt net pid user uts; do echo "  $ns: $(readlink /proc/self/ns/$ns)"; done
echo
echo "Processes: only the container's"
for dir in /proc/[0-9]*; do
	[ -r "$dir/comm" ] && echo "  process: ${dir#/proc/} $(cat "$dir/comm")"
done
echo
echo "Mounts"
while read -r _ _ _ _ target options rest; do
	echo "  mount: $target $options ${rest#*- }"
done </proc/self/mountinfo
echo
echo "Cgroup"
echo "  cgroup: $(sed -n 's/^0:://p' /proc/self/cgroup)"
for file in memory.max pids.max; do
	[ -r "/sys/fs/cgroup/$file" ] && echo "  $file: $(cat "/sys/fs/cgroup/$file")"
done
echo
echo "Forbidden things, and what the kernel says"
/bin/forbidden
echo "  escapes: $?"
