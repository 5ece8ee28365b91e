# SPDX-License-Identifier: Apache-2.0
# Fuzzing with libFuzzer. A target is tests/fuzz/fuzz_NAME.c with seeds in
# tests/fuzz/corpus/fuzz_NAME; nothing else is to be done for a new one. FUZZ_SECONDS=N: that long
# for each target, with another seed each time and what was learnt before, not the smoke run.
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ      := $(FUZZ_SRC:%.c=$(BUILD)/%)
FUZZ_RUNS ?= 20000
FUZZ_JOBS ?= $(shell nproc)

$(FUZZ): %: %.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer $^ $(LDLIBS) -o $@

-include $(FUZZ:%=%.d)

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
	@$(PYTHON) tests/fuzz/run.py --out $(BUILD)/results/fuzz --jobs $(FUZZ_JOBS) \
		--runs $(FUZZ_RUNS) $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS)) $(FUZZ)

soak: export FUZZ_SECONDS := $(or $(FUZZ_SECONDS),60)
