#!/bin/sh
# Makes the image of a test machine unless it is in the cache:
# image.sh trixie|bookworm|sid [clients|selinux] prints the directory that holds
# root.img, vmlinuz and initrd; with "clients" the machine has the engines that call
# brig, with "selinux" a policy of SELinux, which forbids nothing, in AppArmor's place, and
# the kernel with all drivers, RDMA in software among them. The cache is BRIG_VM_CACHE, or
# a directory of the user's; the name of an image is a hash of this script, so that a
# change of it makes a new one.
set -eu
suite=$1 flavour=${2:-}
cache=${BRIG_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/brig-vm}
dir=$cache/$suite${flavour:+-$flavour}-$(sha256sum "$0" | cut -c1-16)
log=$dir.log

if [ -e "$dir/initrd" ]; then
	echo "$dir"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "image.sh: only root can make the image of a test machine" >&2
	exit 1
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/$suite.XXXXXX")
root=$work/root
finish() {
	status=$?
	umount "$root/proc" 2>/dev/null || :
	rm -rf "$work"
	if [ "$status" != 0 ]; then
		echo "image.sh: the image of $suite could not be made: see $log"
		tail -n 20 "$log"
	fi >&3
}
exec 3>&2
trap finish EXIT
trap 'exit 1' HUP INT TERM

# The archive is the one that this machine has its own packages from.
archive() {
	sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null
	sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}

fill() {
	packages=systemd,systemd-sysv,dbus,dbus-user-session,udev,kmod,procps,iproute2,util-linux,psmisc,attr,libcap2-bin
	packages=$packages,busybox-static,strace,uidmap,apparmor,libpam-systemd,sudo,gawk
	debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$(archive | head -n 1)"
	# Nothing is started in the image while it is made.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	mount -t proc proc "$root/proc"
	kernel=linux-image-cloud-amd64
	[ "$flavour" != selinux ] || kernel=linux-image-amd64
	install $kernel initramfs-tools crun runc
	case $flavour in
		clients) clients ;;
		selinux) selinux ;;
	esac
	umount "$root/proc"
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
}

install() {
	DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -q -y --no-install-recommends "$@" </dev/null
}

# What calls a runtime, and what that needs for networks, storage and an init.
clients() {
	install podman buildah conmon netavark aardvark-dns containernetworking-plugins iptables nftables passt \
		slirp4netns fuse-overlayfs catatonit containerd docker.io docker-cli docker-buildx docker-compose jq socat ca-certificates nginx
	for unit in nginx.service docker.service docker.socket containerd.service podman.socket podman.service podman-restart.service \
		podman-auto-update.timer podman-clean-transient.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
}

# Nothing is labelled: what has no label is only said to be against the policy.
selinux() {
	install selinux-policy-default policycoreutils
	printf 'SELINUX=permissive\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"
	echo 'security=selinux selinux=1 enforcing=0' >"$work/append"
}

settle() {
	echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
	echo vm >"$root/etc/hostname"
	echo 'uninitialized' >"$root/etc/machine-id"
	chroot "$root" useradd -m -s /bin/bash tester
	chroot "$root" usermod --add-subuids 200000-265535 --add-subgids 200000-265535 tester
	# The user manager runs without a login, and gets every controller.
	mkdir -p "$root/var/lib/systemd/linger" "$root/etc/systemd/system/user@.service.d"
	touch "$root/var/lib/systemd/linger/tester"
	printf '[Service]\nDelegate=yes\n' >"$root/etc/systemd/system/user@.service.d/delegate.conf"
	for unit in serial-getty@ttyS0.service getty@tty1.service systemd-timesyncd.service apt-daily.timer \
		apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	cat >"$root/etc/systemd/system/job.service" <<-'UNIT'
		[Unit]
		Description=what the test machine is there for
		After=multi-user.target dbus.socket
		[Service]
		Type=oneshot
		ExecStart=/usr/local/sbin/job
		TimeoutStartSec=infinity
		Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		ExecStopPost=/bin/systemctl poweroff -f -f
		[Install]
		WantedBy=multi-user.target
	UNIT
	# The payload is a tar on the second disk; what it leaves in /job/out goes to the
	# third, as a tar. A shell is a payload that is not there.
	cat >"$root/usr/local/sbin/job" <<-'JOB'
		#!/bin/bash
		exec </dev/ttyS0 >/dev/ttyS0 2>&1
		mkdir -p /job && cd /job
		if ! tar -xf /dev/vdb 2>/dev/null || [ ! -e run ]; then
			exec setsid --ctty bash -l
		fi
		mkdir -p out
		bash ./run >out/log 2>&1
		echo "$?" >out/status
		tar -cf /dev/vdc out
		sync
	JOB
	chmod 755 "$root/usr/local/sbin/job"
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -s ../job.service "$root/etc/systemd/system/multi-user.target.wants/job.service"
}

pack() {
	cp -L "$root"/boot/vmlinuz-* "$work/vmlinuz"
	mke2fs -q -t ext4 -d "$root" -F "$work/root.img" 6G
	cp -L "$root"/boot/initrd.img-* "$work/initrd"
	rm -rf "$root"
}

exec 4>&1 >"$log" 2>&1 </dev/null
fill
settle
pack
# Whoever was faster made the same.
mv -T "$work" "$dir" 2>/dev/null || [ -e "$dir/initrd" ]
echo "$dir" >&4
