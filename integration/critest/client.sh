# critest, the conformance tests of CRI, against containerd as the scenarios of cri have
# it. There is no registry: the images that it names are made here, of busybox and of
# programs of the machine.
. ./cri/client.sh

# critest puts its pods where the default handler's driver of cgroups wants them: it asks
# containerd 2 for that, which answers for the default handler, and takes systemd's of
# containerd 1, which does not answer.
DEFAULT_HANDLER=tested-systemd

# image NAME ENTRYPOINT…: a local image of the root file system with that entry point.
image() {
	local name=$1
	shift
	jq -c '.config = {Entrypoint: $ARGS.positional, Env: ["PATH=/usr/sbin:/usr/bin:/bin:/sbin"]}' --args -- "$@" \
		</var/tmp/archive/config.json >/var/tmp/archive/config.json.new
	mv /var/tmp/archive/config.json.new /var/tmp/archive/config.json
	printf '[{ "Config": "config.json", "RepoTags": ["%s"], "Layers": ["layer.tar"] }]' "$name" >/var/tmp/archive/manifest.json
	tar -C /var/tmp/archive -cf /var/tmp/image.tar manifest.json config.json layer.tar
	ctr -n k8s.io image import --snapshotter overlayfs /var/tmp/image.tar >/dev/null
}

# program ROOT NAME: a program of the machine, with its libraries.
program() {
	local file
	file=$(command -v "$2")
	ldd "$file" | grep -o '/[^ ]*' | while read -r library; do
		install -D "$library" "$1$library"
	done
	rm -f "$1/bin/$2"
	install -D "$file" "$1/usr/bin/$2"
}

# serve ROOT NAME PORT: a configuration of nginx.
serve() {
	cat >"$1/etc/nginx/$2.conf" <<-EOF
		daemon off;
		user nobody nogroup;
		pid /var/run/nginx.pid;
		error_log stderr info;
		events { }
		http { access_log off; server { listen $3; root /www; } }
	EOF
}

# files: the root file system of all images. As in the image of busybox, its programs are
# hard links, so that one can be covered without the others, and its shell executes them:
# Debian's busybox has them in its shell and never looks for the file.
files() {
	local root=/var/tmp/box name
	for name in "$root"/bin/*; do
		[ ! -L "$name" ] || ln -f "$root/bin/busybox" "$name"
	done
	echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>"$root/etc/passwd"
	echo 'default-user:x:1000:1000:user:/home:/bin/sh' >>"$root/etc/passwd"
	printf 'nogroup:x:65534:\ngroup-defined-in-image:x:50000:default-user\n' >>"$root/etc/group"
	sed -i '/^user:/d' "$root/etc/passwd"
	mkdir -p "$root"/{etc/nginx,var/run,var/lib/nginx,var/log/nginx,www}
	program "$root" nginx
	program "$root" ipcs
	program "$root" pgrep
	program "$root" dash
	ln -sf ../usr/bin/dash "$root/bin/sh"
	serve "$root" nginx 80
	serve "$root" hostnet 12003
	echo served >"$root/www/index.html"
	install -m 4755 critest/nonewprivs.bin "$root/nonewprivs"
	tar -C "$root" -cf /var/tmp/archive/layer.tar .
	sed -i "s/sha256:[0-9a-f]*/sha256:$(sha256sum /var/tmp/archive/layer.tar | cut -d' ' -f1)/" /var/tmp/archive/config.json
}

# images: PREFIX is what critest puts before the names of most; what it puts before those
# of cri-tools' own stands in the program.
images() {
	local own
	own=$(grep -aoE '[a-z]cr\.io/k8s-staging-cri-tools/' critest/critest.bin | head -n 1)
	# sudo, which loads the profiles of AppArmor, complains when the host has no address,
	# and a pause container must not be found as somebody's `sleep`.
	echo "127.0.0.1 localhost $(hostname)" >>/etc/hosts
	files
	image localhost/pause:latest tail -f /dev/null
	image "${PREFIX}busybox:1.29-2"
	image "${PREFIX}nginx:1.14-2" nginx -c /etc/nginx/nginx.conf
	image "${PREFIX}httpd:2.4.39-4" sh -c 'echo httpd; exec nginx -c /etc/nginx/nginx.conf'
	image "${PREFIX}nonewprivs:1.3" /nonewprivs
	image "${own}hostnet-nginx-amd64:latest" nginx -c /etc/nginx/hostnet.conf
	image "${own}test-image-predefined-group:latest"
}

version() { echo "critest of cri-tools 1.34.0 without the tests that pull images, containerd $(containerd --version | awk '{ print $3 }')"; }
