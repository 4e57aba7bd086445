# dockerd, with the runtime under test as its default, in a tree of its own.
image=localhost/box
root=/var/lib/docker-test

start_dockerd() {
	mkdir -p /etc/docker
	jq -n --arg path "$RUNTIME" '{ runtimes: { tested: { path: $path } }, "default-runtime": "tested",
		"live-restore": true, "data-root": "'$root'", "exec-opts": ["native.cgroupdriver=systemd"] }' >/etc/docker/daemon.json
	systemctl reset-failed dockerd-test 2>/dev/null || :
	witness # BuildKit's runtime
	systemd-run -q --unit dockerd-test -p KillMode=process -p Delegate=yes \
		-E DOCKER_BUILDKIT_RUNC_COMMAND=$WITNESS dockerd
	until_true docker version
}

# restart_dockerd stops the daemon and starts it: the containers stay.
restart_dockerd() {
	systemctl stop dockerd-test
	until_true sh -c '! systemctl is-active dockerd-test'
	start_dockerd
}

# again puts the daemon of the scenarios in the place of the system's service.
again() {
	systemctl stop docker.socket docker.service || :
	rm -rf /etc/systemd/system/docker.service.d /var/lib/docker || :
	ln -sf /dev/null /etc/systemd/system/docker.service
	ln -sf /dev/null /etc/systemd/system/docker.socket
	systemctl daemon-reload
	start_dockerd
}

# second CONFIGURATION: another daemon, whose default is the runtime under test, with a bridge
# of its own: without one, a daemon takes the other's away.
second() {
	echo "$1" >/tmp/second.json
	ip link add second0 type bridge && ip address add 10.99.0.1/24 dev second0 && ip link set second0 up
	systemd-run -q --unit dockerd-second -p KillMode=process -p Delegate=yes dockerd --add-runtime flagged="$RUNTIME" \
		--default-runtime flagged --config-file /tmp/second.json --host unix:///run/second.sock --pidfile /run/second.pid \
		--exec-root /run/docker-second --data-root $root-second --containerd-namespace second \
		--containerd-plugins-namespace plugins.second --bridge second0 --iptables=false
	afterwards forget_second
	until_true docker --host unix:///run/second.sock version
	other load -q -i /var/tmp/box-archive.tar
}

# other ARGUMENT…: docker with the second daemon.
other() { docker --host unix:///run/second.sock "$@"; }

forget_second() {
	local list
	list=$(other ps -aq)
	[ -z "$list" ] || other rm -f $list >/dev/null
	systemctl stop dockerd-second
	ip link del second0
	rm -rf $root-second
	no_container --root /run/docker-second/runtime-runc/second
}

setup() {
	start_containerd
	modprobe -a overlay br_netfilter 2>/dev/null || :
	start_dockerd
	docker image inspect $image >/dev/null 2>&1 || {
		box_archive /var/tmp/box-archive.tar localhost/box
		docker load -q -i /var/tmp/box-archive.tar
	}
}

leave() {
	local list
	list=$(docker ps -aq)
	[ -z "$list" ] || docker rm -f $list >/dev/null
	docker network prune -f >/dev/null
	docker volume prune -af >/dev/null
	no_container --root /run/docker/runtime-runc/moby
	no_container # of BuildKit
	no_process '[c]ontainerd-shim-runc-v2.*moby'
	no_group $(find /sys/fs/cgroup -mindepth 1 -type d \( -name 'docker-*.scope' -o -name '*:docker:*' \) 2>/dev/null)
}

teardown() {
	leave
	systemctl stop dockerd-test
}

version() { dockerd --version | awk '{ print "docker " $3 }' | tr -d ,; }
