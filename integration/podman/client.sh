# podman, as root and as the user "tester", with its default configuration: it does not
# know brig by name.
image=localhost/box

# What a scenario used is marked, so that leave does only what is needed: a call of
# podman takes a second here.
podman() {
	touch "/tmp/used-$1"
	command podman --runtime "$RUNTIME" "$@"
}

rootless() {
	touch /tmp/used-rootless
	as_user podman --runtime "$RUNTIME" "$@"
}

# own makes a directory of the user's, with a file.
own() {
	rm -rf /var/tmp/own
	mkdir /var/tmp/own
	echo outside >/var/tmp/own/file
	chown -R tester: /var/tmp/own
}

# removes_late: podman 5.4 fails once to remove a container that has lost its conmon,
# whatever the runtime, and removes it when it is asked again.
removes_late() { [[ $(version) == 'podman 5.4.'* ]]; }

setup() {
	box_tar
	podman image exists $image || podman import -c 'CMD ["sh"]' /var/tmp/box.tar $image
	rootless image exists $image || rootless import -c 'CMD ["sh"]' /var/tmp/box.tar $image
	rm -f /tmp/used-*
}

leave() {
	[ ! -e /tmp/used-pod ] || podman pod rm -fa -t 0 >/dev/null
	[ -z "$(ls -A /var/lib/containers/storage/overlay-containers | grep -v '\.')" ] || podman rm -fa -t 0 >/dev/null
	[ -z "$(ls -A /var/lib/containers/storage/volumes 2>/dev/null)" ] || podman volume rm -fa >/dev/null
	[ ! -e /tmp/used-secret ] || podman secret rm -a >/dev/null
	[ ! -e /tmp/used-rootless ] || rootless rm -fa -t 0 >/dev/null
	rm -f /tmp/used-*
	none_left 'libpod-*'
	no_process '^/usr/bin/conmon '
}

teardown() {
	leave
	podman system reset -f >/dev/null
	rootless system reset -f >/dev/null
}

version() { printf 'podman %s\n' "$(command podman version -f '{{.Client.Version}}')"; }
