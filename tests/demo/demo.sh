#!/bin/sh
# Runs one container with brig's hardened default config, shows it from inside,
# and fails if any part of the confinement is not there: demo.sh, from `make demo`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
brig=${BRIG:-$here/../../brig}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # root of the container is an ordinary user here
rootfs=$work/rootfs
mkdir -p "$rootfs/bin" "$rootfs/dev" "$rootfs/proc" "$rootfs/sys" "$rootfs/tmp" "$rootfs/etc"
cp "$(command -v busybox)" "$rootfs/bin/busybox"
for name in sh cat sed id readlink; do ln -s busybox "$rootfs/bin/$name"; done
echo 'root:x:0:0:root:/:/bin/sh' >"$rootfs/etc/passwd"
echo 'root:x:0:' >"$rootfs/etc/group"
gcc -Os -static -Wall -Wextra -Werror -o "$rootfs/bin/forbidden" "$here/forbidden.c"
install -m 755 "$here/inside.sh" "$rootfs/bin/inside"

echo "\$ brig run --rootfs ROOTFS demo /bin/inside"
echo
"$brig" --root "$work/state" run --rootfs "$rootfs" "demo-$$" /bin/inside >"$work/seen" || {
	cat "$work/seen"
	echo "demo: the container failed with status $?" >&2
	exit 1
}
cat "$work/seen"

failures=0
expect() { # expect WHAT PATTERN: the output has a line that the pattern matches whole
	if grep -Eqx "  $2" "$work/seen"; then
		checks=$((checks + 1))
	else
		echo "demo: FAILED: $1 (no line '$2')" >&2
		failures=$((failures + 1))
	fi
}
refuse() { # refuse WHAT PATTERN
	if grep -Eqx "  $2" "$work/seen"; then
		echo "demo: FAILED: $1 (a line '$2')" >&2
		failures=$((failures + 1))
	else
		checks=$((checks + 1))
	fi
}

checks=0
expect "uid 0 is mapped" "uid_map: 0 [0-9]+ [0-9]+"
expect "gid 0 is mapped" "gid_map: 0 [0-9]+ [0-9]+"
refuse "root is not root of the host" "uid_map: 0 0 [0-9]+"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do expect "$set is empty" "$set: 0+"; done
expect "no_new_privs is set" "NoNewPrivs: 1"
expect "a seccomp filter is loaded" "Seccomp: 2"
for ns in cgroup ipc mnt net pid user uts; do
	expect "there is a namespace of type $ns" "$ns: $ns:\[[0-9]+\]"
	refuse "namespace $ns is not the host's" "$ns: $(readlink "/proc/self/ns/$ns" | sed 's/[][]/\\&/g')"
done
expect "the payload is process 1" "process: 1 inside"
expect "the root is read-only" "mount: / ro(,.*)? .*"
expect "procfs is mounted" "mount: /proc [^ ]* proc .*"
expect "it is the root of its cgroup namespace" "cgroup: /"
for thing in "write to /" "mount a tmpfs" "ptrace another process" "unshare a user namespace" "read the masked /proc/kcore" \
	"read the masked /proc/keys" "read the masked /proc/timer_list"; do
	expect "refused: $thing" "$thing +([A-Z]+|empty)"
	refuse "refused: $thing" "$thing +SUCCEEDED"
done
expect "nothing forbidden succeeded" "escapes: 0"

if [ "$failures" != 0 ]; then
	echo "demo: $failures of $((checks + failures)) checks failed" >&2
	exit 1
fi
echo
echo "demo: all $checks checks passed"
