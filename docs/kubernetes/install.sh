#!/bin/sh
# Runs in the DaemonSet, before its container that only waits: puts brig on the node, and its
# handler into the configuration of containerd, which is restarted only if that has changed.
# With REMOVE=true it waits until no container needs brig, and takes both away again.
# Containers that run go on. Wherever this is interrupted, the next run goes on from there.
set -eu
config=/host/containerd/config.toml
before=$config.before-brig   # while containerd has not started with the change
pending=$config.brig-restart # containerd has not been restarted since

fail() {
	echo "brig: $*" >&2
	exit 1
}

on_node() { nsenter --target 1 --mount -- "$@"; }

# The name changes in one step: whoever executes brig gets the old one or the new.
put_binary() {
	cmp -s /brig /host/bin/brig && return
	cp /brig /host/bin/.brig.new
	chmod 755 /host/bin/.brig.new
	if ! on_node /usr/local/bin/.brig.new --version >/dev/null; then
		rm -f /host/bin/.brig.new
		fail "brig of this image does not run on this node, which stays as it is"
	fi
	mv /host/bin/.brig.new /host/bin/brig
}

# A key may be in quotes, and a table in a comment is none.
has_handler() { grep -q '^[[:space:]]*\[.*containerd\.runtimes\.["'\'']\{0,1\}brig["'\'']\{0,1\}\]' "$config"; }

# containerd 1 forgets the runc that it has by itself, and its CRI does not start without
# it, once a file names a runtime: the first one brings runc with it.
needs_runc() { [ "$version" = 2 ] && ! grep -q '^[^#]*runtimes' "$config"; }

with_handler() {
	cat "$config"
	! needs_runc || cat <<-EOF

		[plugins."$plugin".containerd.runtimes.runc] # for brig
		runtime_type = "io.containerd.runc.v2"
	EOF
	cat <<-EOF

		[plugins."$plugin".containerd.runtimes.brig]
		runtime_type = "io.containerd.runc.v2"
		[plugins."$plugin".containerd.runtimes.brig.options]
		BinaryName = "/usr/local/bin/brig"
		SystemdCgroup = ${SYSTEMD_CGROUP:-true}
	EOF
}

# Its tables, each up to the next one, go with the empty lines before them; and the runc
# that came with it, unless another runtime has come meanwhile.
without_handler() {
	awk '{ table = /^[ \t]*\[/; its = table && /containerd\.runtimes\.["\047]?brig["\047]?[].]/; runc = table && /\] # for brig$/ }
		FNR == NR { if (/^[^#]*runtimes/ && !its && !runc) others = 1; next }
		table { brig = its || runc && !others; if (brig) empty = "" }
		brig { next }
		/^$/ { empty = empty "\n"; next }
		{ printf "%s%s\n", empty, $0; empty = "" }
		END { printf "%s", empty }' "$config" "$config"
}

# change COMMAND: the configuration becomes what the command prints, and stays as
# readable as it was.
change() {
	# Interrupted while it went back, it has no older one.
	[ -e "$pending" ] && [ -e "$before" ] || cp -p "$config" "$before"
	cp -p "$config" "$config.new"
	"$1" >"$config.new"
	: >"$pending"
	mv "$config.new" "$config"
}

# containerd 1 goes on without its CRI, which finds a fault in the configuration, and the
# node would be lost to the cluster. A node without ctr is not asked.
restart() {
	on_node systemctl restart containerd || return
	! on_node ctr plugins ls 2>/dev/null | grep -q '^io\.containerd\.grpc\.v1 *cri .*error'
}

# settle restarts containerd if it has not been since a change.
settle() {
	[ -e "$pending" ] || return 0
	if ! restart; then
		mv "$before" "$config"
		on_node systemctl restart containerd || :
		rm -f "$pending"
		# To fail would be to be started again, and containerd with it.
		echo "brig: containerd or its CRI does not start with $1; its config.toml is as it was" >&2
		exec sleep 2147483647
	fi
	rm -f "$pending" "$before"
}

install() {
	version=2 # of the file that is written if there is none
	[ ! -e "$config" ] || version=$(sed -n '/^[[:space:]]*\[/q; s/^[[:space:]]*version *= *\([0-9]*\).*/\1/p' "$config")
	# A version 3 of the file, containerd 2's own, has another name for the plugin; in a
	# file without a version containerd would not find the table.
	case $version in
	2) plugin=io.containerd.grpc.v1.cri ;;
	3) plugin=io.containerd.cri.v1.runtime ;;
	*) has_handler || fail "containerd's config.toml has no line \"version = 2\" or 3, and the handler needs one" ;;
	esac
	put_binary
	[ -e "$config" ] || echo 'version = 2' >"$config"
	has_handler || change with_handler
	settle 'the handler'
}

# wait_for_containers returns when none is left that brig made.
wait_for_containers() {
	while [ -e /host/bin/brig ]; do
		list=$(on_node /usr/local/bin/brig --root /run/containerd/runc/k8s.io list -q)
		[ -n "$list" ] || return 0
		sleep 10
	done
}

remove() {
	! grep -q '^[[:space:]]*default_runtime_name *= *["'\'']brig["'\'']' "$config" ||
		fail "default_runtime_name in containerd's config.toml is brig: without the handler no pod would start"
	wait_for_containers
	if has_handler; then
		change without_handler
	fi
	settle 'the handler gone'
	wait_for_containers # of pods that came meanwhile
	rm -f /host/bin/brig /host/bin/.brig.new
}

if [ "${REMOVE:-false}" = true ]; then
	remove
else
	install
fi
