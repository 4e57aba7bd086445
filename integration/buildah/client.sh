# buildah, as root and as the user "tester".
image=localhost/box

buildah() {
	command buildah --log-level error "$@"
}

# run_in CONTAINER …: a command in a container, by the runtime under test.
run_in() { command buildah run --runtime "$RUNTIME" --isolation oci "$@"; }

rootless() { as_user buildah "$@"; }

# box makes the image without any engine's help.
box() {
	local c
	c=$("$1" from scratch)
	"$1" add -q "$c" /var/tmp/box.tar /
	"$1" config --cmd sh "$c"
	"$1" commit -q "$c" $image
	"$1" rm "$c"
}

setup() {
	box_tar
	buildah images -q $image >/dev/null 2>&1 || box buildah
	rootless images -q $image >/dev/null 2>&1 || box rootless
}

leave() {
	buildah rm -a >/dev/null
	rootless rm -a >/dev/null
	none_left 'buildah-*'
}

teardown() { leave; }

version() { command buildah --version | awk '{ print "buildah " $3 }'; }
