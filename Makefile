# One door to the project: `make help` lists what there is. Needs a Swift toolchain; the rest is installed where it is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The caller's swift, else one in the places where it is usually unpacked.
SWIFT ?= $(firstword $(shell command -v swift) $(wildcard /opt/swift/usr/bin/swift /usr/local/bin/swift \
  /usr/local/swift/usr/bin/swift /usr/share/swift/usr/bin/swift /usr/libexec/swift/bin/swift \
  $(HOME)/.local/share/swiftly/bin/swift $(HOME)/swift/usr/bin/swift))
ifneq ($(SWIFT),)
export PATH := $(abspath $(dir $(SWIFT))):$(PATH)
endif

# Identical for build and test, or everything is built twice. Undeclared imports between rooms are errors.
SWIFT_FLAGS := --explicit-target-dependency-import-check error --scratch-path .build
# The Swift runtime goes into the binaries: a gateway has no toolchain.
# No one loads symbols out of the programs: without the table of exports 2 MB less are resident.
RELEASE_FLAGS := -c release --static-swift-stdlib --explicit-target-dependency-import-check error \
  -Xlinker --no-export-dynamic --scratch-path .build-release
RELEASE := .build-release/release

# What the build needs: C libraries, and what the toolchain itself needs to compile, link and fetch.
BUILD_PACKAGES := binutils ca-certificates gcc git libc6-dev libcurl4 libmodbus-dev libmosquitto-dev libncurses6 \
  libpq-dev libsodium-dev libsqlite3-dev libssl-dev libstdc++-12-dev libxml2 libyaml-dev libzstd-dev pkg-config tzdata \
  zlib1g-dev
# What the demo runs beside twind itself: the broker between the sites and their foundation.
DEMO_PACKAGES := mosquitto mosquitto-clients openssl python3
# What the tests need beside it: Python peers, and systemd's tools for the unit.
TEST_PACKAGES := $(DEMO_PACKAGES) curl groff-base man-db postgresql python3-venv socat systemd systemd-container \
  unzip util-linux
# A .venv of the project's own, made again when one of these versions changes.
PEERS_PYTHON := duckdb==2.0.0 pyarrow==26.0.1 pymodbus==3.16.1
comma := ,
VENV := .venv/.made-$(subst $(eval) ,$(comma),$(subst ==,-,$(PEERS_PYTHON)))

PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
INSTALL ?= install
# Nothing here when what is installed should keep its symbols.
STRIP ?= -s
DATA := $(DESTDIR)$(PREFIX)/share

step = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help demo demo-deps test test-long fuzz bench lint format build release install clean deps test-deps toolchain

help: ## what there is
	@echo "twind: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 \2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

demo: demo-deps release ## a plant, the daemon and its screens on this machine, to look at
	$(call step,demo)
	@demo/run
	@demo/learn
	@exec demo/fleet

test: test-deps ## all tests; below 15 minutes on two cores
	$(call step,build and test)
	@SWIFT="$(SWIFT)" SWIFT_FLAGS="$(SWIFT_FLAGS)" Tests/Support/run

test-long: test-deps release ## make test, with long sequences and the release binaries as well
	$(call step,build and test at length)
	@TWIND_TEST_LONG=1 SWIFT="$(SWIFT)" SWIFT_FLAGS="$(SWIFT_FLAGS)" Tests/Support/run

# Decoders, with as many rounds as one wants; each failure prints its seed.
FUZZ_ROUNDS ?= 200000
fuzz: test-deps ## decoders under a mutator for as long as FUZZ_ROUNDS takes
	$(call step,build and fuzz)
	@$(SWIFT) build --build-tests $(SWIFT_FLAGS)
	@TWIND_FUZZ_ROUNDS=$(FUZZ_ROUNDS) $(SWIFT) test --skip-build --disable-xctest $(SWIFT_FLAGS) --filter '[Ff]uzz'

bench: test-deps release ## measure; one JSON line for each figure
	$(call step,bench)
	@if $(SWIFT) package --scratch-path .build-release describe 2> /dev/null | grep -q 'Name: twind-bench'; \
	  then $(SWIFT) build $(RELEASE_FLAGS) --product twind-bench; fi
	@exec Tests/Bench/run

lint: toolchain ## formatting and scripts; silent when well
	$(call step,lint)
	@$(SWIFT) format lint --strict -r -p Sources Tests Package.swift
	@python3 Tests/Support/ontology.py --check
	@for f in .ci/run .ci/packages Tests/Support/run $$(find Tests/System demo -name '*.sh' 2> /dev/null); do bash -n "$$f"; done
	@echo "lint: clean"

format: toolchain ## format all Swift sources in place
	@$(SWIFT) format -i -r -p Sources Tests Package.swift

build: deps ## debug build into .build
	$(call step,debug build)
	@$(SWIFT) build $(SWIFT_FLAGS)

release: deps ## release build of twind and twinctl into .build-release
	$(call step,release build; the first takes some minutes)
	@$(SWIFT) build $(RELEASE_FLAGS) --product twind
	@$(SWIFT) build $(RELEASE_FLAGS) --product twinctl
	@$(SWIFT) build $(RELEASE_FLAGS) --product twind-foundation
	@$(SWIFT) build $(RELEASE_FLAGS) --product twind-learn

# Takes what `make release` built, so that root needs no toolchain: make release && sudo make install
install: ## install the release build; DESTDIR, PREFIX, SYSCONFDIR
	@for b in twind twinctl twind-foundation twind-learn; do test -x $(RELEASE)/$$b || { echo "no $(RELEASE)/$$b: make release first" >&2; exit 1; }; done
	$(INSTALL) -D $(STRIP) -m 0755 $(RELEASE)/twind $(DESTDIR)$(PREFIX)/bin/twind
	$(INSTALL) -D $(STRIP) -m 0755 $(RELEASE)/twinctl $(DESTDIR)$(PREFIX)/bin/twinctl
	$(INSTALL) -D $(STRIP) -m 0755 $(RELEASE)/twind-foundation $(DESTDIR)$(PREFIX)/bin/twind-foundation
	$(INSTALL) -D $(STRIP) -m 0755 $(RELEASE)/twind-learn $(DESTDIR)$(PREFIX)/bin/twind-learn
	@for u in service path timer; do \
	  $(INSTALL) -D -m 0644 systemd/twind-learn.$$u $(DESTDIR)$(PREFIX)/lib/systemd/system/twind-learn.$$u; done
	$(INSTALL) -D -m 0644 systemd/twind.service $(DESTDIR)$(PREFIX)/lib/systemd/system/twind.service
	$(INSTALL) -D -m 0644 systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/twind.conf
	$(INSTALL) -D -m 0644 edge-config/edge.yaml $(DATA)/twind/edge.yaml
	$(INSTALL) -D -m 0644 systemd/twind-foundation.service $(DESTDIR)$(PREFIX)/lib/systemd/system/twind-foundation.service
	$(INSTALL) -D -m 0644 systemd/twind-broker-crl.path $(DESTDIR)$(PREFIX)/lib/systemd/system/twind-broker-crl.path
	$(INSTALL) -D -m 0644 systemd/twind-broker-crl.service $(DESTDIR)$(PREFIX)/lib/systemd/system/twind-broker-crl.service
	$(INSTALL) -D -m 0644 edge-config/foundation.yaml $(DATA)/twind/foundation.yaml
	$(INSTALL) -D -m 0644 edge-config/broker/mosquitto.conf $(DATA)/twind/broker/mosquitto.conf
	$(INSTALL) -D -m 0644 edge-config/broker/twind.acl $(DATA)/twind/broker/twind.acl
	$(INSTALL) -D -m 0644 docs/man/twind.8 $(DATA)/man/man8/twind.8
	$(INSTALL) -D -m 0644 docs/man/twind-learn.8 $(DATA)/man/man8/twind-learn.8
	$(INSTALL) -D -m 0644 docs/man/twinctl.1 $(DATA)/man/man1/twinctl.1
	@# A site's own configuration is never overwritten; the current one with its comments stays beside the manual.
	@test -e $(DESTDIR)$(SYSCONFDIR)/twind/edge.yaml || \
	  $(INSTALL) -D -m 0644 edge-config/edge.yaml $(DESTDIR)$(SYSCONFDIR)/twind/edge.yaml
	@for b in twind twinctl; do \
	  $(INSTALL) -d $(DATA)/bash-completion/completions $(DATA)/zsh/vendor-completions $(DATA)/fish/vendor_completions.d; \
	  $(RELEASE)/$$b --generate-completion-script bash > $(DATA)/bash-completion/completions/$$b; \
	  $(RELEASE)/$$b --generate-completion-script zsh > $(DATA)/zsh/vendor-completions/_$$b; \
	  $(RELEASE)/$$b --generate-completion-script fish > $(DATA)/fish/vendor_completions.d/$$b.fish; \
	done
	@echo "installed; what a gateway needs beside it: libsqlite3-0 libmodbus5 libmosquitto1 libsodium23 libssl3 libyaml-0-2 libzstd1 tzdata"
	@echo "next: docs/runbooks/install.md"

clean: ## remove everything that was built
	rm -rf .build .build-release .venv

toolchain:
	@if [ -z "$(SWIFT)" ]; then \
	  echo "No swift in PATH nor in /opt/swift: unpack Swift 6.2 or later (swift.org/install) and put its usr/bin in PATH," >&2; \
	  echo "or say where it is: make $(MAKECMDGOALS) SWIFT=/path/to/swift" >&2; exit 1; fi

deps: toolchain
	@.ci/packages $(BUILD_PACKAGES)

demo-deps:
	@.ci/packages $(DEMO_PACKAGES)

test-deps: toolchain
	@.ci/packages $(BUILD_PACKAGES) $(TEST_PACKAGES)
	@$(MAKE) $(VENV)

# ensurepip stands in Debian's python3-venv, and some other python3 may come first in PATH.
$(VENV):
	$(call step,Python peers for the tests: $(PEERS_PYTHON))
	@rm -rf .venv
	@for p in python3 /usr/bin/python3; do \
	  if $$p -c 'import ensurepip, venv' 2> /dev/null; then $$p -m venv .venv; break; fi; done
	@.venv/bin/pip install -q --disable-pip-version-check $(PEERS_PYTHON) < /dev/null
	@touch $@
