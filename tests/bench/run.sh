#!/bin/sh
# Measures `brig run` of /bin/true beside the installed crun and runc, and `brig
# --version` beside an empty Go program: run.sh, from `make bench`.
#
# ROUNDS (of single starts), RUNS (in a row), and the programs BRIG, CRUN, RUNC can be set from outside.
set -eu
rounds=${ROUNDS:-240} runs=${RUNS:-30} go=${GO:-go}
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
brig=${BRIG:-$top/brig} crun=${CRUN:-crun} runc=${RUNC:-runc}
out=$top/tests/out/bench

if [ "$(id -u)" != 0 ]; then
	echo "bench: needs root, for the containers of all three runtimes are the same only there" >&2
	exit 1
fi
# crun refuses hosts with v1 hierarchies: all three see cgroup v2 only. State lies in
# a tmpfs, as /run is one where engines run.
if [ -z "${BENCH_VIEW:-}" ]; then
	BENCH_VIEW=1 exec unshare -m --propagation private \
		sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' -- sh "$0"
fi
# crun and runc give the /dev/null that they have as stdin to the payload's user: not
# the host's.
mkdir -p "$out"
rm -f "$out/null"
mknod -m 666 "$out/null" c 1 3
mount --bind "$out/null" /dev/null

work=$(mktemp -d)
mount -t tmpfs -o mode=755 brig-bench "$work"
tidy() {
	$brig --root "$work/brig" delete --force "brig-$$" || :
	$crun --root "$work/crun" delete --force "crun-$$" >/dev/null 2>&1 || :
	$runc --root "$work/runc" delete --force "runc-$$" >/dev/null 2>&1 || :
	umount -l "$work"
	umount -l /dev/null
	rm -f "$out/null"
	rmdir "$work"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # root of the container is an ordinary user here
mkdir -p "$out" "$work/bundle/rootfs"
rm -f "$out"/*.json
for dir in bin dev proc sys; do mkdir "$work/bundle/rootfs/$dir"; done
cp "$(command -v busybox)" "$work/bundle/rootfs/bin/true"
cp "$here/config.json" "$work/bundle/"
# A copy, as brig is one (see the Makefile), on the same file system.
(cd "$top" && CGO_ENABLED=0 $go build -trimpath -ldflags '-s -w' -o "$out/linked" ./tests/bench/empty)
rm -f "$out/empty"
cp "$out/linked" "$out/empty"
(cd "$top" && $go build -o "$work/table" ./tests/bench/table)
gcc -Os -static -o "$work/rss" "$here/rss.c"

brig_run="$brig --root $work/brig run -b $work/bundle bench-$$"
crun_run="$crun --root $work/crun run -b $work/bundle bench-$$"
runc_run="$runc --root $work/runc run -b $work/bundle bench-$$"

# The same container with the seccomp profile that Docker gives one.
mkdir "$work/filtered" "$work/long"
cp "$(command -v busybox)" "$work/bundle/rootfs/bin/sleep"
cp -a "$work/bundle/rootfs" "$work/filtered/" # runc wants no link there
cp -a "$work/bundle/rootfs" "$work/long/"
(cd "$top" && $go run ./tests/bench/merge "$here/config.json" seccomp/testdata/docker.json >"$work/filtered/config.json")
brig_filtered="$brig --root $work/brig run -b $work/filtered bench-$$"

# And one of each that stays, for exec.
sed 's#"args": .*#"args": ["/bin/sleep", "1000000"],#' "$here/config.json" >"$work/long/config.json"
$brig --root "$work/brig" run -d -b "$work/long" "brig-$$" </dev/null >/dev/null
$crun --root "$work/crun" run -d -b "$work/long" "crun-$$" </dev/null >/dev/null
$runc --root "$work/runc" run -d -b "$work/long" "runc-$$" </dev/null >/dev/null
brig_exec="$brig --root $work/brig exec brig-$$ /bin/true"
crun_exec="$crun --root $work/crun exec crun-$$ /bin/true"
runc_exec="$runc --root $work/runc exec runc-$$ /bin/true"

# Each runs once before, outside of all figures: seccomp caches, page cache, and
# an error shows here with its text.
for command in "$brig_run" "$crun_run" "$runc_run" "$brig_exec" "$crun_exec" "$runc_exec" "$brig_filtered"; do
	$command || { echo "bench: failed: $command" >&2; exit 1; }
done

# measure RUNS WARMUP FILE -n NAME COMMAND …
measure() {
	n=$1 warmup=$2
	shift 2
	# Outliers are expected, and medians ignore them; anything else matters.
	hyperfine -N --style none --warmup "$warmup" --runs "$n" --export-json "$@" >/dev/null 2>"$work/errors" || {
		cat "$work/errors" >&2
		exit 1
	}
}

# The machine's speed changes from one second to the next, so only figures of one
# short round are divided by each other. And the kernel takes a container apart after
# its runtime has gone: a start pays for what the one before it left. So the rounds
# of single starts go through all orders, and each program follows each.
round=0
while [ "$round" -lt "$rounds" ]; do
	set -- brig "$brig_run" crun "$crun_run" runc "$runc_run"
	case $((round % 6)) in
	1) set -- "$1" "$2" "$5" "$6" "$3" "$4" ;;
	2) set -- "$3" "$4" "$1" "$2" "$5" "$6" ;;
	3) set -- "$3" "$4" "$5" "$6" "$1" "$2" ;;
	4) set -- "$5" "$6" "$1" "$2" "$3" "$4" ;;
	5) set -- "$5" "$6" "$3" "$4" "$1" "$2" ;;
	esac
	round=$((round + 1))
	measure 1 0 "$out/run-$round.json" -n "$1" "$2" -n "$3" "$4" -n "$5" "$6"
done

# The same program many times in a row.
round=0
while [ "$round" -lt "$((rounds / 12))" ]; do
	round=$((round + 1))
	measure "$runs" 1 "$out/row-$round.json" -n 'brig in a row' "$brig_run" -n 'crun in a row' "$crun_run"
	measure "$runs" 1 "$out/exec-$round.json" -n 'brig exec' "$brig_exec" -n 'crun exec' "$crun_exec" -n 'runc exec' "$runc_exec"
	measure "$runs" 1 "$out/filter-$round.json" -n 'brig with a filter' "$brig_filtered" -n 'brig without' "$brig_run"
	measure "$runs" 1 "$out/version-$round.json" -n 'brig --version' "$brig --version" -n 'empty Go program' "$out/empty"
done

# The smallest of five: whatever comes on top is the state of the machine.
peak() {
	for _ in 1 2 3 4 5; do "$work/rss" "$@"; done | sort -n | head -n 1
}
stage=$(echo "$top"/nsenter/stage/stage_"$($go env GOARCH)".elf)
"$work/table" "$out" \
	brig_binary_bytes="$(wc -c <"$brig")" \
	stage_bytes="$(wc -c <"$stage")" \
	stage_lines_of_c="$(cat "$top"/nsenter/stage/stage.[ch] | wc -l)" \
	peak_rss_kib_payload_alone="$(peak "$work/bundle/rootfs/bin/true")" \
	peak_rss_kib_brig="$(peak $brig_run)" \
	peak_rss_kib_crun="$(peak $crun_run)" \
	peak_rss_kib_runc="$(peak $runc_run)"
uname -sr
"$crun" --version | head -n 1
"$runc" --version | head -n 1
