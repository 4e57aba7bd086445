# critest, the conformance tests of CRI, against containerd as the scenarios of cri have
# it. There is no registry: the images that it names are made of busybox.
. ./cri/client.sh

# image NAME COMMAND…: a local image of busybox that runs the command.
image() {
	local name=$1
	shift
	jq -c --args '.config.Cmd = $ARGS.positional' "$@" </var/tmp/archive/config.json >/var/tmp/archive/config.json.new
	mv /var/tmp/archive/config.json.new /var/tmp/archive/config.json
	printf '[{ "Config": "config.json", "RepoTags": ["%s"], "Layers": ["layer.tar"] }]' "$name" >/var/tmp/archive/manifest.json
	tar -C /var/tmp/archive -cf /var/tmp/image.tar manifest.json config.json layer.tar
	ctr -n k8s.io image import --snapshotter overlayfs /var/tmp/image.tar >/dev/null
}

# images: PREFIX is what critest puts before their names.
images() {
	local serve='mkdir -p /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www'
	image "${PREFIX}busybox:1.29-2" sh
	image "${PREFIX}nginx:1.14-2" sh -c "$serve"
	image "${PREFIX}httpd:2.4.39-4" sh -c "$serve"
}

version() { echo "critest of cri-tools 1.34.0, containerd $(containerd --version | awk '{ print $3 }')"; }
