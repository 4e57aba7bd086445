#!/bin/sh
# Runs in the DaemonSet, before its container that only waits: puts brig on the node, and its
# handler into the configuration of containerd, which is restarted only if that has changed.
# With REMOVE=true it waits until no container needs brig, and takes both away again. A
# handler brig that somebody else wrote down stays as it is.
# Containers that run go on. Wherever this is interrupted, the next run goes on from there,
# if containerd is there to start it: see settle.
set -eu
program=/opt/brig/bin/brig # which is of the DaemonSet alone
config=/host/containerd/config.toml
before=$config.before-brig   # while containerd has not started with the change
pending=$config.brig-restart # containerd has not been restarted since
ours="^[^#]*BinaryName *= *[\"']$program[\"']"
# What is written if there is no configuration, and goes with brig.
made='# made for brig
version = 2'

fail() {
	echo "brig: $*" >&2
	exit 1
}

on_node() { nsenter --target 1 --mount -- "$@"; }

# dump prints what the node's containerd, started as it was, makes of its configuration
# now, with the files that it imports.
dump() { { cat "/proc/$pid/cmdline" && printf 'config\0dump\0'; } | xargs -0 nsenter --target 1 --mount --; }

# shim FLAG prints what the shim of this container was given by it.
shim() { tr '\0' '\n' <"/proc/$PPID/cmdline" | sed -n "/^$1\$/{n;p;}"; }

# find_containerd sets pid and address, and fails unless it is the containerd that this
# pod is of: its shim knows the address.
find_containerd() {
	[ ! -L "$config" ] || fail "containerd's config.toml is a symbolic link, and would be none afterwards: the node stays as it is"
	pid=$(on_node systemctl show -p MainPID --value containerd) || pid=0
	[ "${pid:-0}" != 0 ] || fail "no containerd.service runs on this node, which stays as it is: its containerd has other means to get a handler"
	address=$(shim -address)
	# cri-dockerd's pods have the same containerd, and another namespace; CRI-O's no shim.
	if [ -n "$address" ] && [ "$(shim -namespace)" = k8s.io ] && dump | grep "^ *address = [\"']$address[\"']" >/dev/null; then
		return
	fi
	# Interrupted after a change that containerd could not have read.
	[ ! -e "$pending" ] || [ ! -e "$before" ] || put_back
	fail "containerd.service is not what runs the pods of this node, or does not read its configuration; the node stays as it is"
}

# The name changes in one step: whoever executes brig gets the old one or the new.
put_binary() {
	cmp -s /brig /host/bin/brig && return
	cp /brig /host/bin/.brig.new
	chmod 755 /host/bin/.brig.new
	if ! on_node "${program%/*}/.brig.new" --version >/dev/null; then
		rm -f /host/bin/.brig.new
		fail "brig of this image does not run on this node, which stays as it is"
	fi
	mv /host/bin/.brig.new /host/bin/brig
}

# A key may be in quotes, and a table in a comment is none.
knows_handler() { dump | grep '^[[:space:]]*\[.*containerd\.runtimes\.["'\'']\{0,1\}brig["'\'']\{0,1\}\]' >/dev/null; }

# has_handler says whether the configuration has that of the DaemonSet, and uses_handler
# whether containerd would have it, from wherever. Quotes change when a file is migrated.
has_handler() { grep -qs "$ours" "$config"; }
uses_handler() { dump | grep "$ours" >/dev/null; }

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
		BinaryName = "$program"
		SystemdCgroup = ${SYSTEMD_CGROUP:-true}
	EOF
}

# Its tables, each up to the next one, go with the empty lines before them; and the runc
# that came with it, unless another runtime has come meanwhile. Comments just before the
# next table are of that one.
without_handler() {
	awk '{ table = /^[ \t]*\[/; its = table && /containerd\.runtimes\.["\047]?brig["\047]?[].]/; runc = table && /\] # for brig$/ }
		FNR == NR { if (/^[^#]*runtimes/ && !its && !runc) others = 1; next }
		table { brig = its || runc && !others; if (brig) empty = held = ""; else { empty = empty held; held = "" } }
		brig { if (/^[ \t]*#/ || held != "" && /^$/) held = held $0 "\n"; else held = ""; next }
		/^$/ { empty = empty "\n"; next }
		{ printf "%s%s\n", empty, $0; empty = "" }
		END { printf "%s", empty held }' "$config" "$config" | cat # which sees a full disk
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
	forget
}

# forget removes a configuration that is what was made for brig and no more.
forget() { [ ! -e "$config" ] || [ "$(cat "$config")" != "$made" ] || rm "$config"; }

put_back() {
	mv "$before" "$config"
	forget
}

# containerd 1 goes on without its CRI, which finds a fault in the configuration, and the
# node would be lost to the cluster. A node without ctr is not asked.
restart() {
	on_node systemctl restart containerd || return
	! on_node ctr --address "$address" plugins ls 2>/dev/null | grep -q '^io\.containerd\.grpc\.v1 *cri .*error'
}

# settle restarts containerd if it has not been since a change. Killed between a restart
# that failed and put_back, it leaves a node that needs somebody to put back $before.
settle() {
	[ -e "$pending" ] || return 0
	if ! restart; then
		[ ! -e "$before" ] || put_back
		on_node systemctl restart containerd || :
		rm -f "$pending"
		# To fail would be to be started again, and containerd with it.
		echo "brig: containerd or its CRI does not start with $1; its config.toml is as it was" >&2
		exec sleep 2147483647
	fi
	rm -f "$pending" "$before"
}

# undo is for a change that containerd would not see: it has not been restarted yet.
undo() {
	[ ! -e "$pending" ] || [ ! -e "$before" ] || put_back
	rm -f "$pending"
	[ "$had" = yes ] || rm -f /host/bin/brig
	fail "containerd, as this node starts it, would not know the handler: its configuration is another file, or imports one that takes the place of it"
}

# choose_plugin sets the version of the configuration, and what it calls the plugin: a
# version 3, containerd 2's own, has another name for it, and in a file without a version
# containerd would not find the table.
choose_plugin() {
	version=2
	[ ! -e "$config" ] || version=$(sed -n '/^[[:space:]]*\[/q; s/^[[:space:]]*version *= *\([0-9]*\).*/\1/p' "$config")
	case $version in
	2) plugin=io.containerd.grpc.v1.cri ;;
	3) plugin=io.containerd.cri.v1.runtime ;;
	*) fail "containerd's config.toml has no line \"version = 2\" or 3, and the handler needs one" ;;
	esac
}

install() {
	find_containerd
	new=no
	if ! has_handler && ! uses_handler; then
		if knows_handler; then
			echo 'brig: this node has a handler brig already, which stays as it is'
			return
		fi
		new=yes
		choose_plugin
	fi
	had=no
	[ ! -e /host/bin/brig ] || had=yes
	put_binary
	if [ $new = yes ]; then
		if [ ! -e "$config" ]; then
			echo "$made" >"$config.new"
			mv "$config.new" "$config"
		fi
		change with_handler
	fi
	knows_handler || undo
	settle 'the handler'
}

# wait_for_containers returns when none is left that brig made.
wait_for_containers() {
	said=
	while [ -e /host/bin/brig ]; do
		list=$(on_node "$program" --root /run/containerd/runc/k8s.io list -q)
		[ -n "$list" ] || return 0
		[ "$list" = "$said" ] || echo "brig: these have to end first:" $list
		said=$list
		sleep 10
	done
}

remove() {
	if [ -e /host/bin/brig ] || [ -e "$pending" ] || has_handler; then
		find_containerd
		! dump | grep '^[[:space:]]*default_runtime_name *= *["'\'']brig["'\'']' >/dev/null ||
			fail "default_runtime_name in containerd's config.toml is brig: without the handler no pod would start"
	fi
	wait_for_containers
	if has_handler; then
		change without_handler
	fi
	settle 'the handler gone'
	wait_for_containers # of pods that came meanwhile
	[ ! -e /host/bin/brig ] || ! uses_handler ||
		fail "containerd has the handler from another file than config.toml: take it out there"
	forget
	rm -f /host/bin/brig /host/bin/.brig.new
	on_node rmdir "${program%/*}" "${program%/*/*}" || : # a volume of this container
}

# Of a run that was interrupted before its change.
rm -f "$config.new"
[ -e "$pending" ] || rm -f "$before"
if [ "${REMOVE:-false}" = true ]; then
	remove
else
	install
fi
