# containerd's runc shim with the runtime as its binary, called by ctr.
image=localhost/box:latest
address=/run/containerd/containerd.sock

# ctr_run ARGUMENT…: a container by the runtime under test.
ctr_run() { ctr run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" "$@"; }

# up NAME [ARGUMENT…]: a container that sleeps.
up() {
	local name=$1
	shift
	ctr_run -d "$@" $image "$name" sleep 1000
}

# task_exec NAME COMMAND…
task_exec() {
	local name=$1
	shift
	ctr task exec --exec-id "e$RANDOM" "$name" "$@"
}

setup() {
	start_containerd
	ctr image ls -q | grep -q $image || {
		box_archive /var/tmp/box-archive.tar localhost/box
		ctr image import --snapshotter overlayfs /var/tmp/box-archive.tar >/dev/null
	}
}

leave() {
	local name
	for name in $(ctr task ls -q); do
		ctr task resume "$name" >/dev/null 2>&1 || :
		ctr task kill -a -s KILL "$name" >/dev/null 2>&1 || :
	done
	for name in $(ctr container ls -q); do
		until_true remove "$name"
	done
	no_container --root /run/containerd/runc/default
	no_process '[c]ontainerd-shim-runc-v2'
	no_group $(find /sys/fs/cgroup/default /sys/fs/cgroup/system.slice -mindepth 1 -type d \( -name 'box*' -o -name 'ctr-box*' \) 2>/dev/null)
}

remove() {
	ctr task rm -f "$1" >/dev/null 2>&1 || :
	ctr container rm "$1" >/dev/null 2>&1 || ! ctr container ls -q | grep -qx "$1"
}

teardown() {
	leave
	systemctl stop containerd
}

version() { containerd --version | awk '{ print "containerd " $3 }'; }
