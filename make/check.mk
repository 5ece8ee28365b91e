# SPDX-License-Identifier: Apache-2.0
# Test tiers, static checks, installation. Every check-* ends with "N passed, N failed, N skipped".
RUN_TIER := $(PYTHON) tests/run_tier.py
RESULTS   = $(BUILD)/results
JOBS     ?= $(shell nproc)
C_FILES   = $(shell git ls-files '*.c' '*.h')

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
DOCGEN := $(BUILD)/tests/tools/docgen
$(DOCGEN): $(DOCGEN).o $(BUILD)/tests/unit/config_docs.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@
-include $(DOCGEN).d

.PHONY: docs
docs: $(DOCGEN) ## write the parts of docs/ that are lists in the code
	$(Q)$(foreach d,$(DOCS),$(DOCGEN) $d >docs/$d.md.new && mv docs/$d.md.new docs/$d.md &&) :

# ---- tiers ----
.PHONY: check-arch check-unit run-unit check-bpf check-vm test soak

check-arch: $(DOCGEN) ## prove the layers, the one-includer rule and the house rules from the sources
	@$(PYTHON) scripts/check-arch.py $(foreach d,$(DOCS),--generated 'docs/$d.md=$(DOCGEN) $d')

# Sanitizers have a build folder of their own.
check-unit: ## unit tests with address and undefined-behaviour sanitizers; no root
	@$(MAKE) --no-print-directory SAN=$(or $(SAN),address,undefined) BUILD=$(BUILD)-san run-unit

run-unit: $(UNIT)
	@$(RUN_TIER) --name unit --out $(RESULTS)/unit --jobs $(JOBS) --timeout 120 $(UNIT)

check-bpf: $(BPFT) ## kernel programs against packet tables, on this kernel; root
	@$(RUN_TIER) --name bpf --out $(RESULTS)/bpf --root --timeout 120 $(BPFT)

VM_KERNELS ?= bullseye bookworm trixie
check-vm: $(BPFT) ## the bpf tier on other kernels, in software-emulated VMs
	@$(PYTHON) tests/vm/run.py --cache $(BUILD)/vm --out $(RESULTS)/vm \
		$(VM_KERNELS:%=--kernel %) $(BPFT)

# A tier joins when its rules are there.
TIERS := check-arch check-unit check-bpf $(if $(wildcard make/e2e.mk),check-e2e) check-vm \
	 $(if $(wildcard make/fuzz.mk),check-fuzz)

# -j only where make was not given one
SUB_MAKE = $(MAKE) --no-print-directory -Otarget $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

test: ## install what is missing, build without warnings, run every tier; one closing line
	@$(RUN_TIER) --sum -- $(SUB_MAKE) WERROR=1 deps all check-format $(TIERS)

SOAK_MINUTES ?= 60
soak: ## every tier again and again for SOAK_MINUTES (60)
	@$(RUN_TIER) --sum --minutes $(SOAK_MINUTES) -- $(SUB_MAKE) WERROR=1 $(TIERS)

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
	@awk -F':.*## ' '/^[a-z_.-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile make/*.mk
