#!/bin/bash
# What every scenario of a client can say. $RUNTIME is the path of the runtime under
# test, and $runtime its name.
runtime=${RUNTIME##*/}

fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}

skip() {
	printf '\nSKIP: %s\n' "$*"
	exit 0
}

# afterwards COMMAND…: when the scenario is over, however it ends; the last comes first.
afterwards() {
	later="$(printf '%q ' "$@") || exit 1; ${later:-}"
	trap "$later" EXIT
}

# is WANT COMMAND…: the command succeeds and prints just that.
is() {
	local want=$1 got status=0
	shift
	got=$("$@" 2>/tmp/stderr) || status=$?
	[ "$status" = 0 ] || fail "$* ended with $status: $got $(cat /tmp/stderr)"
	[ "$got" = "$want" ] || fail "$* printed \"$got\" and not \"$want\""
}

# has PATTERN COMMAND…: the command succeeds and a line of what it prints matches.
has() {
	local pattern=$1 got status=0
	shift
	got=$("$@" 2>&1) || status=$?
	[ "$status" = 0 ] || fail "$* ended with $status: $got"
	grep -Eq -e "$pattern" <<<"$got" || fail "$* printed no \"$pattern\": $got"
}

# lacks PATTERN COMMAND…: the command succeeds and no line matches.
lacks() {
	local pattern=$1 got status=0
	shift
	got=$("$@" 2>&1) || status=$?
	[ "$status" = 0 ] || fail "$* ended with $status: $got"
	! grep -Eq -e "$pattern" <<<"$got" || fail "$* printed \"$pattern\": $got"
}

# exits STATUS COMMAND…: the command ends with that status.
exits() {
	local want=$1 got status=0
	shift
	got=$("$@" 2>&1) || status=$?
	[ "$status" = "$want" ] || fail "$* ended with $status and not $want: $got"
}

# refuses PATTERN COMMAND…: the command fails, and says so in a line that matches.
refuses() {
	local pattern=$1 got status=0
	shift
	got=$("$@" 2>&1) || status=$?
	[ "$status" != 0 ] || fail "$* succeeded: $got"
	grep -Eq -e "$pattern" <<<"$got" || fail "$* said no \"$pattern\": $got"
}

# until_true COMMAND…: the command succeeds within a minute and a half.
until_true() {
	local end=$((SECONDS + 90))
	while [ $SECONDS -lt $end ]; do
		"$@" >/tmp/until 2>&1 && return
		sleep 0.2
	done
	fail "$* did not come true: $(cat /tmp/until)"
}

# witness makes $WITNESS, which writes down how it is called before it becomes the runtime
# under test. No engine knows its name.
witness() {
	WITNESS=/var/tmp/witness/witness
	mkdir -p /var/tmp/witness
	install -m 666 /dev/null /var/tmp/witness/calls
	printf '#!/bin/sh\necho "$*" >>/var/tmp/witness/calls\nexec %s "$@"\n' "$RUNTIME" >$WITNESS
	chmod 755 $WITNESS
}

# called PATTERN: the witness was called so.
called() { grep -Eq -e "$1" /var/tmp/witness/calls || fail "no call $1: $(cat /var/tmp/witness/calls)"; }

# not_called PATTERN: it was not.
not_called() { ! grep -Eq -e "$1" /var/tmp/witness/calls || fail "a call $1: $(cat /var/tmp/witness/calls)"; }

# on_terminal COMMAND…: with a terminal of its own, 31 lines of 97, whose output is
# printed. Nobody types: script types ^D where its input ends, and if podman has not
# read that when the program ends, what the program said is lost, with any runtime.
on_terminal() {
	script -qefc "stty rows 31 cols 97; exec $(printf '%q ' "$@")" /dev/null 0<>"$(nobody)" | tr -d '\r'
}

# nobody is a file to be opened for reading and writing, an input that never ends.
nobody() {
	[ -p /tmp/nobody ] || mkfifo /tmp/nobody
	echo /tmp/nobody
}

# dialogue is a program for whoever sits at a terminal, which typing does.
dialogue='trap "echo interrupted; exit 9" INT; echo ready; read line; echo "read $line"; while :; do stty size; sleep 0.2; done'

# typing COMMAND…: a terminal on which somebody types what the program dialogue reads,
# changes its size, and interrupts it when that has come to pass.
typing() {
	local status=0 said
	: >/tmp/screen
	{
		on_screen ready && printf 'a line\r' &&
			on_screen 'read a line' && stty -F "$(cat /tmp/terminal)" rows 40 cols 120 &&
			on_screen '40 120' && printf '\003' && on_screen interrupted || :
	} | timeout --foreground 300 script -qefc "tty >/tmp/terminal; exec $(printf '%q ' "$@")" /dev/null >/tmp/screen || status=$?
	for said in ready 'read a line' '40 120' interrupted; do
		grep -q "$said" /tmp/screen || fail "$* showed no \"$said\": $(cat /tmp/screen)"
	done
	[ $status = 9 ] || fail "$* ended with $status: $(cat /tmp/screen)"
}

# on_screen TEXT: it is shown within a minute.
on_screen() {
	local end=$((SECONDS + 60))
	until grep -q "$1" /tmp/screen; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# group_of PID: the folder of its cgroup.
group_of() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"; }

# used GROUP: the time that its processes had.
used() { grep usage_usec "$1/cpu.stat"; }

# stands_still GROUP: they have none, for two seconds.
stands_still() {
	local before
	before=$(used "$1")
	sleep 2
	is "$before" used "$1"
}

# goes_on GROUP: they have some.
goes_on() {
	local before
	before=$(used "$1")
	until_true sh -c "now=\$(grep usage_usec '$1/cpu.stat') && [ \"\$now\" != '$before' ]"
}

# root_files DIR: a root file system of busybox.
root_files() {
	mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp,root,var,home,usr/share}
	chmod 1777 "$1/tmp"
	cp /bin/busybox "$1/bin/busybox"
	local name
	for name in $(/bin/busybox --list); do
		[ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n' >"$1/etc/group"
	echo 'of the image' >"$1/usr/share/file"
	ln -s /home "$1/link"
}

# box_tar makes /var/tmp/box.tar of such a root, once.
box_tar() {
	[ ! -e /var/tmp/box.tar ] || return 0
	root_files /var/tmp/box
	tar -C /var/tmp/box -cf /var/tmp/box.tar .
	chmod 644 /var/tmp/box.tar
}

# box_archive FILE NAME: an image of it in docker's format, which docker, containerd and
# podman load.
box_archive() {
	local dir=/var/tmp/archive sum
	box_tar
	rm -rf $dir && mkdir -p $dir
	cp /var/tmp/box.tar $dir/layer.tar
	sum=$(sha256sum /var/tmp/box.tar | cut -d' ' -f1)
	cat >$dir/config.json <<-EOF
		{ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": ["sha256:$sum"] },
		  "config": { "Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin:/sbin"] } }
	EOF
	printf '[{ "Config": "config.json", "RepoTags": ["%s:latest"], "Layers": ["layer.tar"] }]' "$2" >$dir/manifest.json
	tar -C $dir -cf "$1" manifest.json config.json layer.tar
}

# write_cdi prints the description of a device for CDI, whose hook leaves /tmp/cdi-state.
write_cdi() {
	rm -f /tmp/cdi-state
	mkdir -p /var/tmp/cdi
	echo driver >/var/tmp/cdi/file
	cat <<-'EOF'
		{ "cdiVersion": "0.5.0", "kind": "box.test/dev", "devices": [{ "name": "one", "containerEdits": {
		  "env": ["CDI=yes"], "deviceNodes": [{ "path": "/dev/mine", "hostPath": "/dev/vda", "permissions": "r" }],
		  "mounts": [{ "hostPath": "/var/tmp/cdi", "containerPath": "/driver", "options": ["ro", "bind"] }],
		  "hooks": [{ "hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >/tmp/cdi-state"] }] } }] }
	EOF
}

# start_containerd starts it anew; the machine has it masked.
start_containerd() {
	rm -f /etc/systemd/system/containerd.service
	systemctl daemon-reload
	systemctl restart containerd
	until_true ctr version
}

# as_user COMMAND…: as an ordinary user, in his own session.
as_user() {
	runuser -u tester -- env HOME=/home/tester XDG_RUNTIME_DIR="/run/user/$(id -u tester)" \
		DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$(id -u tester)/bus" sh -c 'cd && exec "$@"' -- "$@"
}

# What is left would be found after each scenario to come as well: it is removed, so that
# it counts once.

# no_container [--root DIR]: brig has none left there, nothing that it warns of, and none of
# its own processes and scopes.
no_container() {
	[ "$runtime" = brig ] || return 0
	local list id
	list=$("$RUNTIME" "$@" list -q 2>&1)
	if [ -n "$list" ]; then
		for id in $list; do
			"$RUNTIME" "$@" delete --force "$id" || :
		done
		fail "left: $list"
	fi
	no_process "^$RUNTIME "
	no_scope
}

# no_scope: systemd knows none of a container within half a minute.
no_scope() {
	local list end=$((SECONDS + 30))
	while list=$(systemctl list-units --all --plain --no-legend 'libpod-*.scope' 'docker-*.scope' 'cri-*.scope' 'ctr-*.scope') && [ -n "$list" ]; do
		if [ $SECONDS -gt $end ]; then
			systemctl reset-failed || :
			fail "left: $list"
		fi
		sleep 0.2
	done
}

# no_group DIR…: no such cgroup is left.
no_group() {
	[ $# != 0 ] || return 0
	local dir end=$((SECONDS + 10))
	for dir; do
		echo 1 >"$dir/cgroup.kill" || :
		while [ -e "$dir" ] && [ $SECONDS -lt $end ]; do
			find "$dir" -depth -type d -exec rmdir {} \; || :
		done
	done 2>/dev/null
	fail "left: $*"
}

# no_process PATTERN: none has such a command line within a minute and a half.
no_process() {
	local end=$((SECONDS + 90))
	while pgrep -f "$1" >/dev/null; do
		if [ $SECONDS -gt $end ]; then
			pkill -9 -f "$1" || :
			fail "left: $1"
		fi
		sleep 0.2
	done
}

# none_left PATTERN: brig has no container left, of root or of the user, and no cgroup has
# such a name.
none_left() {
	no_container
	local user
	user=$(ls -A "/run/user/$(id -u tester)/$runtime" 2>/dev/null | grep -v '^@' || :)
	[ "$runtime" != brig ] || [ -z "$user" ] || fail "left by the user: $user"
	no_group $(find /sys/fs/cgroup -mindepth 1 -type d -name "$1" 2>/dev/null)
}

# from_docs FILE: what docs/clients.md says to write to it, with the runtime under test.
from_docs() {
	awk -v file="$1" 'index($0, "`" file "`") { found = 1 } /^```/ && found { if (inside) exit; inside = 1; next } inside' \
		../docs/clients.md | sed "s:/usr/local/bin/brig:$RUNTIME:" | grep . || fail "docs/clients.md has no $1"
}
