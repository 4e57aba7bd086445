# containerd's CRI plugin, with handlers for the runtime under test: "tested", and
# "tested-systemd" whose cgroups are made by systemd. The scenarios are in Go.
# DEFAULT_HANDLER is the one of pods that ask for none.
setup() {
	mkdir -p /etc/containerd /opt/cni /etc/cni/net.d
	ln -sfn /usr/lib/cni /opt/cni/bin
	cat >/etc/containerd/config.toml <<-EOF
		version = 2
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "localhost/pause:latest"
		enable_cdi = true
		disable_hugetlb_controller = false
		[plugins."io.containerd.grpc.v1.cri".containerd]
		default_runtime_name = "${DEFAULT_HANDLER:-tested}"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested]
		runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested.options]
		BinaryName = "$RUNTIME"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested-systemd]
		runtime_type = "io.containerd.runc.v2"
		pod_annotations = ["org.systemd.property.*"]
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested-systemd.options]
		BinaryName = "$RUNTIME"
		SystemdCgroup = true
	EOF
	cat >/etc/cni/net.d/10-box.conflist <<-'EOF'
		{ "cniVersion": "1.0.0", "name": "box", "plugins": [
			{ "type": "bridge", "bridge": "cni-box", "isGateway": true, "ipMasq": true, "hairpinMode": true,
			  "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.77.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
			{ "type": "portmap", "capabilities": { "portMappings": true } } ] }
	EOF
	# And runc and the handler "brig", as the documentation has them.
	from_docs /etc/containerd/config.toml | grep -v '^version' >>/etc/containerd/config.toml
	start_containerd
	box_archive /var/tmp/box-archive.tar localhost/box
	ctr -n k8s.io image import --snapshotter overlayfs /var/tmp/box-archive.tar >/dev/null
	# A pause image is any that waits.
	sed -i 's/"Cmd": \["sh"\]/"Cmd": ["sleep", "1000000"]/' /var/tmp/archive/config.json
	sed -i 's/localhost\/box/localhost\/pause/' /var/tmp/archive/manifest.json
	tar -C /var/tmp/archive -cf /var/tmp/pause-archive.tar manifest.json config.json layer.tar
	ctr -n k8s.io image import --snapshotter overlayfs /var/tmp/pause-archive.tar >/dev/null
}

# leave: the tests remove their pods themselves.
leave() {
	no_container --root /run/containerd/runc/k8s.io
	no_process '[c]ontainerd-shim-runc-v2'
	no_group $(find /sys/fs/cgroup -mindepth 1 -type d \( -name 'cri-*.scope' -o -path '*/k8s.io/*' \) 2>/dev/null)
}

teardown() {
	leave
	systemctl stop containerd
}

version() { containerd --version | awk '{ print "CRI of containerd " $3 }'; }
