# SPDX-License-Identifier: Apache-2.0
BENCH_DERIVE := $(BUILD)/tests/bench/bench_derive
OBJ += $(BENCH_DERIVE).o

$(BENCH_DERIVE): $(BENCH_DERIVE).o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

.PHONY: bench-derive
bench-derive: $(BENCH_DERIVE) ## how long the model takes to derive a picture of 10 000 pods
	$(Q)$<
