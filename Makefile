# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Options: V=1 (show commands), SAN=address,undefined (own build
# folder), WERROR=1, CC=clang, CFLAGS/CPPFLAGS/LDFLAGS (appended), PREFIX, DESTDIR.
MAKEFLAGS += -rR
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

ifeq ($(origin CC),default)
CC         := cc
endif
CC         ?= cc
CLANG      ?= clang
BPFTOOL    ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
PYTHON     ?= /usr/bin/python3
PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
SAN        ?=
comma      := ,
BUILD      ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

PKGS     := libbpf libnl-3.0 libnl-route-3.0 libcurl libcjson libseccomp libmicrohttpd libsystemd \
	    yaml-0.1
TPKGS    := cmocka
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	    -Wpointer-arith -Wwrite-strings $(if $(WERROR),-Werror)
# asked once; quietly, because `make deps` must work before they are there
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
TEST_LIBS  := $(shell $(PKG_CONFIG) --libs $(TPKGS) 2>/dev/null)
CPPFLAGS_ALL = -D_GNU_SOURCE -I. -I$(BUILD) $(PKG_CFLAGS) $(ABI_CPPFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu17 $(WARN) -fno-omit-frame-pointer -fstack-protector-strong -fPIE \
	    $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(CFLAGS)
LDFLAGS_ALL  = $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
LDLIBS       = $(PKG_LIBS)
# ABI_BUMP=1, with a BUILD of its own: the next ABI version with another layout, for tests of upgrades
ABI_CPPFLAGS := $(if $(ABI_BUMP),-DBH_ABI_BUMP)
BPF_CFLAGS   = -g -O2 --target=bpf -mcpu=v3 -Wall -Wextra -Werror -I. $(ABI_CPPFLAGS) $(BPF_CPPFLAGS)

Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$@)';)

LIB_DIRS := common model bpf cgroups kata-glue agent agent/http agent/sources agent/report
MAIN_SRC := agent/main.c $(wildcard ctl/*.c)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
LIB_SRC  := $(filter-out $(MAIN_SRC) $(BPF_SRC),$(wildcard $(LIB_DIRS:%=%/*.c)))
UNIT_SRC := $(wildcard tests/unit/test_*.c tests/unit/*/test_*.c)
BPFT_SRC := $(wildcard tests/bpf/test_*.c)
# helpers that more than one test links
THELP_SRC := $(filter-out $(UNIT_SRC) $(BPFT_SRC),$(wildcard tests/unit/*.c tests/bpf/*.c tests/fake/*.c))

# the kernel programs compiled for user space, beside a second parser
DIFF_SRC := $(wildcard tests/diff/*.c)
DIFF     := $(BUILD)/tests/diff/diff_parse
DIFF_LIB := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/diff/diff_%.c,$(DIFF_SRC)))

OBJ      := $(patsubst %.c,$(BUILD)/%.o,$(LIB_SRC) $(MAIN_SRC) $(UNIT_SRC) $(BPFT_SRC) $(THELP_SRC) \
	    $(wildcard tests/bench/*.c))
LIB      := $(BUILD)/libbulkhead.a
SKEL     := $(BPF_SRC:%.bpf.c=$(BUILD)/%.skel.h)
UNIT     := $(UNIT_SRC:%.c=$(BUILD)/%)
BPFT     := $(BPFT_SRC:%.c=$(BUILD)/%)
AGENT    := $(BUILD)/bin/bulkheadd
CTL      := $(BUILD)/bin/bulkheadctl
PROGS    := $(AGENT) $(CTL)
# tools of ours: generators of docs/, benchmarks
DOCGEN       := $(BUILD)/tests/tools/docgen
METRICSGEN   := $(BUILD)/tests/tools/metricsgen
BENCH_PROGS  := $(BUILD)/tests/bench/bench_progs
BENCH_DERIVE := $(BUILD)/tests/bench/bench_derive
BENCH_LOAD   := $(BUILD)/tests/bench/bench_load
BENCH_CHANGE := $(BUILD)/tests/bench/bench_change
BENCH_NET    := $(BENCH_PROGS) $(BENCH_LOAD) $(BENCH_CHANGE)
BENCH_FLOWS  := $(BUILD)/tests/bench/bench_flows
TOOL_PROGS   := $(DOCGEN) $(METRICSGEN) $(BENCH_DERIVE) $(BENCH_FLOWS) $(BENCH_LOAD) $(BENCH_CHANGE)
FUZZ     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
RESULTS  := $(BUILD)/results
RUN_TIER := $(PYTHON) tests/run_tier.py
JOBS     ?= $(shell nproc)
C_FILES   = $(shell git ls-files '*.c' '*.h')
# programs that `make deps` unpacks instead of installing them; one place for every build folder
TOOLS    := build/tools
export PATH := $(PATH):$(CURDIR)/$(TOOLS)/bin

.PHONY: all FORCE
all: $(PROGS) ## build the programs (default)

# Rewritten only when what it holds changes: new flags rebuild everything, a new commit one object.
define stamp
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$1)' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$1)' >$@
endef

FLAGS = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(CLANG) $(BPF_CFLAGS)
$(BUILD)/flags: FORCE
	$(call stamp,$(FLAGS))

$(BUILD)/version: FORCE
	$(call stamp,$(VERSION))

$(BUILD)/common/version.o: $(BUILD)/version
$(BUILD)/common/version.o: private CPPFLAGS += -DBH_VERSION='"$(VERSION)"'

$(BUILD)/%.o: %.c $(BUILD)/flags | $(SKEL)
	$(Q)mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/flags
	$(Q)mkdir -p $(@D)
	$(call say,BPF)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@

$(LIB): $(LIB_SRC:%.c=$(BUILD)/%.o)
	$(Q)rm -f $@
	$(call say,AR)ar rcs $@ $^

$(AGENT): $(BUILD)/agent/main.o $(LIB)
	$(Q)mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

$(CTL): $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c)) $(LIB)
	$(Q)mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

$(UNIT) $(BPFT) $(BENCH_PROGS): %: %.o $(THELP_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) $(TEST_LIBS) \
		-o $@

$(DIFF_SRC:%.c=$(BUILD)/%.o): private override CPPFLAGS += -Itests/diff/shim
# what is meant for clang's BPF target alone
$(DIFF_SRC:%.c=$(BUILD)/%.o): private override CFLAGS += -Wno-unknown-pragmas -Wno-unused-function \
	-Wno-pointer-arith -Wno-missing-prototypes -Wno-shadow \
	-Wno-attributes

$(BUILD)/tests/bpf/test_frames: $(BUILD)/tests/diff/frames.o $(BUILD)/tests/diff/reference.o

$(DIFF): %: %.o $(DIFF_LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ -o $@

# runs the program itself
$(BUILD)/tests/unit/test_ctl: | $(CTL)

# ---- for everybody ----
.PHONY: deps
deps: ## install what building and testing needs (Debian 12, as root); elsewhere: say what is missing
	@PYTHON='$(PYTHON)' scripts/deps.sh $(TOOLS)

.PHONY: demo demo-stop
demo: ## install what is missing, build, and show tenants kept apart on real packets (KEEP=1: leave it running)
	$(Q)$(MAKE) --no-print-directory deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) $(PYTHON) scripts/demo.py

demo-stop: ## end what KEEP=1 make demo left running
	$(Q)scripts/demo-stop.sh

# ---- what tests/bpf/test_vmlinux.c compares with the kernel: types of bpf/vmlinux.h as BTF ----
VMLINUX_TYPES := $(BUILD)/tests/bpf/vmlinux_types

$(VMLINUX_TYPES).c: bpf/vmlinux.h scripts/vmlinux-types.awk
	$(Q)mkdir -p $(@D)
	$(Q)awk -f scripts/vmlinux-types.awk $< >$@

$(VMLINUX_TYPES).o: $(VMLINUX_TYPES).c $(BUILD)/flags
	$(call say,BPF)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(VMLINUX_TYPES).inc: $(VMLINUX_TYPES).o
	$(Q)grep '^#define' $(VMLINUX_TYPES).c >$@
	$(Q)od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' >>$@

$(BUILD)/tests/bpf/test_vmlinux.o: $(VMLINUX_TYPES).inc

# ---- parts of docs/ that are lists in the code ----
DOCS   := configuration policy reasons
$(DOCGEN): $(BUILD)/tests/unit/config_docs.o
$(BENCH_LOAD): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/load*.c))
$(METRICSGEN): $(BUILD)/tests/unit/metrics_docs.o $(BUILD)/tests/unit/snapshot_fixture.o
$(TOOL_PROGS): %: %.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(filter %.o,$^) $(LIB) $(LDLIBS) -o $@

.PHONY: docs
docs: $(DOCGEN) $(METRICSGEN) ## write the parts of docs/ that are lists in the code
	$(Q)$(foreach d,$(DOCS),$(DOCGEN) $d >docs/$d.md.new && mv docs/$d.md.new docs/$d.md &&) :
	$(Q)$(METRICSGEN) >docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md

# ---- tiers ----
.PHONY: check-arch check-unit run-unit check-bpf check-vm test soak

check-arch: $(DOCGEN) ## prove the layers, the one-includer rule and the house rules from the sources
	@$(PYTHON) scripts/check-arch.py $(foreach d,$(DOCS),--generated 'docs/$d.md=$(DOCGEN) $d')

# Sanitizers have a build folder of their own.
check-unit: ## unit tests with address and undefined-behaviour sanitizers; no root
	@$(MAKE) --no-print-directory SAN=$(or $(SAN),address,undefined) BUILD=$(BUILD)-san run-unit

run-unit: $(UNIT)
	@$(RUN_TIER) --name unit --out $(RESULTS)/unit --jobs $(JOBS) --timeout 120 $(UNIT)

check-bpf: $(BPFT) $(DIFF) ## kernel programs against packet tables and a second parser, on this kernel; root
	@BH_BUILD=$(BUILD) $(RUN_TIER) --name bpf --out $(RESULTS)/bpf --root --timeout 120 \
		$(BPFT) tests/bpf/test_tables.py tests/diff/test_diff.py

check-e2e: $(PROGS) $(BENCH_NET) abi-bump ## real traffic on one and two "nodes" made of network namespaces; root
	@BH_BUILD=$(BUILD) $(RUN_TIER) --name e2e --out $(RESULTS)/e2e --root --timeout 600 \
		$(wildcard tests/e2e/test_*.py)

# the daemon with the next ABI version, which upgrades are tried with
.PHONY: abi-bump
abi-bump:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)-abi ABI_BUMP=1 $(BUILD)-abi/bin/bulkheadd

VM_KERNELS ?= bullseye bookworm trixie
check-vm: $(BPFT) ## the bpf tier on other kernels, in software-emulated VMs
	@$(PYTHON) tests/vm/run.py --cache $(BUILD)/vm --out $(RESULTS)/vm --jobs $(JOBS) \
		$(VM_KERNELS:%=--kernel %) $(BPFT)

# the guests of check-vm compute while check-e2e mostly waits
TIERS := check-arch check-unit check-bpf check-e2e+check-vm check-fuzz

# -j only where make was not given one
SUB_MAKE = $(MAKE) --no-print-directory -Otarget $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

test: ## install what is missing, build without warnings, run every tier; one closing line
	@$(MAKE) --no-print-directory deps # first and alone: it brings the Python that runs the rest
	@$(RUN_TIER) --sum -- $(SUB_MAKE) WERROR=1 all check-format $(TIERS)

SOAK_MINUTES ?= 60
soak: export FUZZ_SECONDS := $(or $(FUZZ_SECONDS),60)
soak: export BH_DIFF_FRAMES := $(or $(BH_DIFF_FRAMES),5000000)
soak: export BH_FRAMES := $(or $(BH_FRAMES),100000)
soak: export BH_ROUNDS := $(or $(BH_ROUNDS),20)
soak: ## every tier again and again for SOAK_MINUTES (60)
	@$(RUN_TIER) --sum --minutes $(SOAK_MINUTES) -- $(SUB_MAKE) WERROR=1 $(TIERS)

# ---- fuzzing ----
# Fuzzing with libFuzzer. A target is tests/fuzz/fuzz_NAME.c with seeds in
# tests/fuzz/corpus/fuzz_NAME; nothing else is to be done for a new one. FUZZ_SECONDS=N: that long
# for each target, with another seed each time and what was learnt before, not the smoke run.
FUZZ_RUNS ?= 20000

$(BUILD)/tests/fuzz/fuzz_packet: $(filter-out %/frames.o,$(DIFF_LIB))
$(FUZZ): %: %.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer $^ $(LDLIBS) -o $@

.PHONY: check-fuzz run-fuzz
check-fuzz: ## every fuzz target for a while; FUZZ_SECONDS=N for longer
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null; then \
		$(MAKE) --no-print-directory CC=$(CLANG) BUILD=$(BUILD)-fuzz \
			SAN=fuzzer-no-link,address,undefined CFLAGS='-O1 -g' run-fuzz; \
	else \
		echo 'SKIP fuzz: $(CLANG) has no libFuzzer'; echo '0 passed, 0 failed, 1 skipped'; \
	fi

run-fuzz: $(FUZZ)
	@$(PYTHON) tests/fuzz/run.py --out $(BUILD)/results/fuzz --jobs $(JOBS) \
		--runs $(FUZZ_RUNS) $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS)) $(FUZZ)

# ---- benchmarks ----
.PHONY: bench bench-net bench-derive bench-flows
bench: bench-net bench-derive bench-flows ## all benchmarks; JSON goes to build/bench/
bench-net: $(BENCH_NET) all ## the datapath against no program and nftables, packet by packet, flooded; control
	$(Q)mkdir -p $(BUILD)/bench
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/bench/bench_net.py $(BUILD)/bench/net.json
bench-derive: $(BENCH_DERIVE) ## how long the model takes to derive a picture of 10 000 pods
	$(Q)$<
bench-flows: $(BENCH_FLOWS) ## what fraction of live flows the table of flows loses, and an LRU hash; root
	$(Q)mkdir -p $(BUILD)/bench
	$(Q)$< >$(BUILD)/bench/flows.json && cat $(BUILD)/bench/flows.json

# ---- static checks ----
.PHONY: format check-format tidy cov

format: ## format all C files in place
	clang-format-14 -i $(C_FILES)

check-format: ## is every C file formatted?
	@clang-format-14 --dry-run -Werror $(C_FILES) || { echo 'run: make format' >&2; exit 1; }

# Not the tests: the analyser cannot know that a failing cmocka assertion does not return.
TIDY_SRC = $(filter %.c,$(filter-out tests/% %.bpf.c,$(C_FILES)))
tidy: compile_commands.json $(SKEL) $(VMLINUX_TYPES).inc ## clang-tidy with .clang-tidy
	@mkdir -p $(RESULTS); printf '%s\n' $(TIDY_SRC) | \
		xargs -P $(JOBS) -n 4 clang-tidy-14 --quiet -p . >$(RESULTS)/tidy 2>&1; \
		r=$$?; grep -v 'warnings generated' $(RESULTS)/tidy; exit $$r

cov: ## line coverage of the unit tests, by file
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-cov CFLAGS='-O0 -g --coverage' \
		LDFLAGS=--coverage run-unit
	@cd $(BUILD)-cov && find . -name '*.gcda' ! -path './tests/*' -exec gcov -n {} + 2>/dev/null | \
		awk -F"'" '/^File/ {f = $$2} /^Lines/ && f !~ /^\// {sub(/.*:/, ""); print f ": " $$0}' | \
		sort

.PHONY: compile_commands.json
compile_commands.json: ## for clang-tidy and editors
	@$(PYTHON) scripts/compile-commands.py $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -- \
		$(filter-out %.bpf.c,$(filter %.c,$(C_FILES))) -- \
		$(CLANG) $(BPF_CFLAGS) -- $(BPF_SRC) >$@

# ---- installation ----
DOCDIR ?= $(PREFIX)/share/doc/bulkhead
.PHONY: install uninstall
install: all ## to DESTDIR/PREFIX (/usr/local)
	$(if $(filter $(AGENT),$(PROGS)),install -D -m 0755 $(AGENT) $(DESTDIR)$(SBINDIR)/bulkheadd)
	$(if $(filter $(CTL),$(PROGS)),install -D -m 0755 $(CTL) $(DESTDIR)$(BINDIR)/bulkheadctl)
	install -d $(DESTDIR)$(DOCDIR)
	install -m 0644 LICENSE LICENSES/* README.md docs/*.md $(DESTDIR)$(DOCDIR)

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(SBINDIR)/bulkheadd $(DESTDIR)$(BINDIR)/bulkheadctl
	rm -f $(patsubst %,$(DESTDIR)$(DOCDIR)/%,$(notdir LICENSE $(wildcard LICENSES/* docs/*.md)) README.md)
	-rmdir $(DESTDIR)$(DOCDIR)

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z0-9_.-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile

.PHONY: clean
clean: ## remove every build folder
	rm -rf build build-*

-include $(OBJ:.o=.d) $(DIFF_SRC:%.c=$(BUILD)/%.d) $(TOOL_PROGS:%=%.d) $(FUZZ:%=%.d) $(BPF_SRC:%.bpf.c=$(BUILD)/%.bpf.d)
