#!/bin/sh
# Runs in the DaemonSet: puts brig on the node, and its handler into the configuration of
# containerd, which is restarted only if that has changed. Containers that run go on.
# Wherever this is interrupted, the next run goes on from there.
set -eu
config=/host/containerd/config.toml
before=$config.before-brig   # while containerd has not started with the handler
pending=$config.brig-restart # containerd has not been restarted since

fail() {
	echo "brig: $*" >&2
	exit 1
}

restart() { nsenter --target 1 --mount -- systemctl restart containerd; }

# The name changes in one step: whoever executes brig gets the old one or the new.
if ! cmp -s /brig /host/bin/brig; then
	cp /brig /host/bin/.brig.new
	chmod 755 /host/bin/.brig.new
	mv /host/bin/.brig.new /host/bin/brig
fi

[ -e "$config" ] || echo 'version = 2' >"$config"
if ! grep -q 'containerd.runtimes.brig\]' "$config"; then
	# A version 3 of the file, containerd 2's own, has another name for the plugin; in a file
	# without a version containerd would not find the table.
	case $(sed -n 's/^version *= *\([0-9]*\).*/\1/p' "$config") in
	2) plugin=io.containerd.grpc.v1.cri ;;
	3) plugin=io.containerd.cri.v1.runtime ;;
	*) fail "containerd's config.toml has no line \"version = 2\" or 3, and the handler needs one" ;;
	esac
	cp "$config" "$before"
	cp "$config" "$config.new"
	cat >>"$config.new" <<-EOF

		[plugins."$plugin".containerd.runtimes.brig]
		runtime_type = "io.containerd.runc.v2"
		[plugins."$plugin".containerd.runtimes.brig.options]
		BinaryName = "/usr/local/bin/brig"
		SystemdCgroup = ${SYSTEMD_CGROUP:-true}
	EOF
	: >"$pending"
	mv "$config.new" "$config"
fi
if [ -e "$pending" ]; then
	if ! restart; then
		mv "$before" "$config"
		restart || :
		rm -f "$pending"
		# To end would be to be started again, and containerd with it.
		echo "brig: containerd does not start with the handler; its config.toml is as it was" >&2
		exec sleep 2147483647
	fi
	rm -f "$pending" "$before"
fi
touch /tmp/installed
exec sleep 2147483647
