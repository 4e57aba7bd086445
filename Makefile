# brig needs git, make and Go; everything else comes with `make deps`, which the
# targets that need it run themselves.

GO ?= go
GOARCH ?= $(shell $(GO) env GOARCH)
GOBIN := $(shell $(GO) env GOPATH)/bin
HOSTARCH := $(shell $(GO) env GOHOSTARCH)
PREFIX ?= /usr/local
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
FUZZTIME ?= 10s
# What of the tests `make test` runs on whole machines: what needs one. `make test-vm`
# runs them all there, also a systemd that is reloaded all the time, which makes a machine
# beside other tests come to nothing.
VM_TESTS ?= SELinux|Limit|Least|AppArmor|Scope([^R]|Ref|$$)|Rootless([^R]|$$)|Cycles|Nested|RootOfUser|JoinNamespaces|KillForms|BusHangs|NoBusForRoot
CYCLES ?= 10

VERSION ?= $(or $(patsubst v%,%,$(shell git describe --tags --match 'v*' --dirty 2>/dev/null)),0.1.0-dev)
COMMIT ?= $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)

# They keep libc out of whatever may import os/user or net.
TAGS := osusergo,netgo
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

GOFUMPT_VERSION := v0.12.0
STATICCHECK_VERSION := v0.8.2

# A tool that is installed is used; else the module proxy brings the pinned one.
tool = $(or $(shell command -v $(1)),$(wildcard $(GOBIN)/$(1)),$(GO) run $(2))

.DEFAULT_GOAL := help
.PHONY: help build generate demo test test-vm integration vm-shell security faults fuzz bench conformance man completions manual lint install uninstall clean deps deps-build deps-test deps-bench deps-conformance deps-vm

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The linker writes a file page by page, and so it stays in the page cache until it
# has to be read again; a copy lies there in large pieces, as an installed program
# does, and starts a tenth faster.
build: generate ## build ./brig, one static binary
	CGO_ENABLED=0 GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=false -tags $(TAGS) -ldflags '$(LDFLAGS)' -o brig.linked .
	@rm -f brig && cp brig.linked brig && rm brig.linked

generate: deps-build ## build what the binary embeds: the stage and the seccomp compiler
	@sh nsenter/stage/embed.sh $(GOARCH)
	@GO='$(GO)' GOARCH=$(GOARCH) sh seccomp/build.sh

demo: build ## run a hardened container and show what it may not do
	@sh tests/deps.sh demo
	@sh tests/demo/demo.sh

test: deps-test build ## run every test, with a summary; as root also those with real containers
	$(GO) vet -tags $(TAGS) ./...
	@sh tests/deps.sh vm || echo "the test machines are left out: what they need cannot be installed here" >&2
	BRIG_VM_RUN='$(VM_TESTS)' BRIG_CYCLES=$(CYCLES) $(GO) run ./tests/summary -tags $(TAGS) -count=1 -timeout=60m ./...

# RUN and KERNEL choose tests and machines: make test-vm RUN=TestLimitPids KERNEL=trixie
test-vm: deps-vm build ## run the tests on whole machines, Debian's in QEMU
	BRIG_VM_PAGE=$(if $(RUN),,yes) BRIG_VM_RUN='$(RUN)' BRIG_VM_SUITES='$(KERNEL)' $(GO) run ./tests/summary -tags $(TAGS) -count=1 -timeout=300m ./tests/vm

# CLIENT, RUN and KERNEL choose: make integration CLIENT=podman RUN=^run$$ KERNEL=trixie
integration: deps-vm build ## run podman, containerd, docker and others on brig, on whole machines
	$(GO) test -C integration/cri -count=1 -run '^TestManifests' .
	BRIG_CLIENT_MACHINES='$(or $(KERNEL),trixie sid)' BRIG_CLIENTS='$(CLIENT)' BRIG_CLIENT_RUN='$(RUN)' \
		$(GO) run ./tests/summary -tags $(TAGS) -count=1 -timeout=90h -run '^TestClients$$' ./integration

vm-shell: deps-vm build ## a shell on a test machine (KERNEL=trixie), with brig in /job
	@sh tests/vm/shell.sh $(or $(KERNEL),trixie)

security: deps-test build ## every test of what a container may not do, counted by section
	BRIG_FAULTS=all $(GO) run ./tests/summary -sections tests/security.txt -tags $(TAGS) -count=1 -timeout=180m

# As root, on a machine with cgroup v2; it takes a quarter of an hour.
faults: deps-test build ## kill brig before each of its system calls, and let each of them fail
	BRIG_FAULTS=all $(GO) run ./tests/summary -sections tests/faults.txt -tags $(TAGS) -count=1 -timeout=180m

fuzz: generate ## run every fuzz target for FUZZTIME (10s)
	@GO='$(GO)' TAGS=$(TAGS) FUZZTIME=$(FUZZTIME) sh tests/fuzz.sh

bench: deps-bench build ## compare speed and memory with the installed crun and runc
	@GO='$(GO)' sh tests/bench/run.sh

conformance: deps-conformance build ## run the runtime-spec's validation programs against brig, crun and runc
	@GO='$(GO)' sh tests/conformance/run.sh

lint: generate ## formatting, vet, staticcheck, the compiler's analyzer for the C
	@unformatted=$$($(call tool,gofumpt,mvdan.cc/gofumpt@$(GOFUMPT_VERSION)) -l .) && \
		if [ -n "$$unformatted" ]; then echo "not formatted by gofumpt:" $$unformatted >&2; exit 1; fi
	$(GO) vet -tags $(TAGS) ./...
	$(GO) vet -tags $(TAGS),manual .
	$(GO) vet -C integration/cri ./...
	$(GO) vet -C integration/critest ./...
	$(GO) test -C integration/cri -count=1 -run '^TestManifests' .
	$(call tool,staticcheck,honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)) -tags $(TAGS) ./...
	$(CC) -std=gnu11 -Os -ffreestanding -Wall -Wextra -Werror -fanalyzer -S -o /dev/null nsenter/stage/stage.c
	@for script in $$(git ls-files '*.sh' .ci/run); do \
		case $$(head -n 1 "$$script") in *bash) bash -n "$$script" ;; *) sh -n "$$script" ;; esac || exit 1; done

man: manual ## write the man pages to share/man
completions: manual ## write the completions for bash, zsh and fish to share/

# The table of commands is brig's own, so the program that writes it is made of brig:
# for this machine, whatever GOARCH is, also on the command line.
manual: override export GOARCH := $(HOSTARCH)
manual:
	@$(MAKE) --no-print-directory generate GOARCH=$(HOSTARCH)
	@rm -rf share
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) CGO_ENABLED=0 $(GO) run -trimpath -buildvcs=false -tags $(TAGS),manual -ldflags '$(LDFLAGS)' . share

install: build manual ## install brig, its man pages and completions to DESTDIR and PREFIX (/usr/local)
	install -D -m 0755 brig '$(DESTDIR)$(PREFIX)/bin/brig'
	to="$$(realpath -m -- '$(DESTDIR)$(PREFIX)')" && cd share && find * -type f -exec install -D -m 0644 {} "$$to/share/{}" \;

uninstall: manual ## remove what install put there
	rm -f '$(DESTDIR)$(PREFIX)/bin/brig'
	to="$$(realpath -m -- '$(DESTDIR)$(PREFIX)')" && cd share && find * -type f -exec rm -f "$$to/share/{}" \;

clean: ## remove everything that was built
	rm -rf brig brig.linked bin share tests/out nsenter/stage_gen_*.go nsenter/stage/*.elf nsenter/stage/*.o \
		seccomp/*.lzw seccomp/*.elf seccomp/embed_gen_*.go

deps: ## install the Debian packages for build, test and bench that are missing
	@sh tests/deps.sh build demo test bench conformance vm

deps-build deps-test deps-bench deps-conformance deps-vm:
	@sh tests/deps.sh $(@:deps-%=%)
