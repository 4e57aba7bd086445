# The networks that engines give their containers: netavark by podman, CNI by
# containerd's ctr, and programs of BPF that watch and filter both.
. ./podman/client.sh
podman_leave=$(declare -f leave) podman_setup=$(declare -f setup) podman_teardown=$(declare -f teardown)
eval "podman_$podman_leave"
eval "podman_$podman_setup"
eval "podman_$podman_teardown"
box=$image
. ./containerd/client.sh
ctr_image=$image image=$box
eval "ctr_$(declare -f leave)"
eval "ctr_$(declare -f setup)"
filter=./network/filter.bin

setup() {
	podman_setup
	image=$ctr_image ctr_setup
	mkdir -p /opt/cni /etc/cni/net.d
	ln -sfn /usr/lib/cni /opt/cni/bin
	cat >/etc/cni/net.d/10-box.conflist <<-'EOF'
		{ "cniVersion": "1.0.0", "name": "box", "plugins": [
			{ "type": "bridge", "bridge": "cni-box", "isGateway": true, "ipMasq": true,
			  "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.77.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
			{ "type": "firewall" }, { "type": "portmap", "capabilities": { "portMappings": true } } ] }
	EOF
}

leave() {
	podman_leave
	ctr_leave
	command podman network prune -f >/dev/null
	rm -f /sys/fs/bpf/box-*
}

teardown() {
	podman_teardown
	systemctl stop containerd
}

# cgroup_of CONTAINER: its directory, of podman's container.
cgroup_of() { echo "/sys/fs/cgroup$(sed 's/^0:://; s:/container$::' "/proc/$(command podman inspect -f '{{.State.Pid}}' "$1")/cgroup")"; }

# veth_of CONTAINER: the end of its eth0 that the host has.
veth_of() {
	local index
	index=$(command podman exec "$1" cat /sys/class/net/eth0/iflink)
	ip -o link | awk -F'[ :@]+' -v i="$index" '$1 == i { print $2 }'
}

# counted NAME: a program has seen something.
counted() { [ "$("$filter" count "$1")" -gt 0 ] || fail "$1 saw nothing"; }

version() {
	printf 'netavark %s, CNI plugins %s\n' "$(/usr/lib/podman/netavark --version | cut -d' ' -f2)" \
		"$(dpkg-query -W -f '${Version}' containernetworking-plugins | cut -d+ -f1)"
}
