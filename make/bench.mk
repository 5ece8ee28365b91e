# SPDX-License-Identifier: Apache-2.0
BENCH_PROGS := $(BUILD)/tests/bench/bench_progs
OBJ += $(BENCH_PROGS).o

$(BENCH_PROGS): $(BENCH_PROGS).o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

.PHONY: bench bench-net
bench: bench-net ## all benchmarks; JSON goes to build/bench/
bench-net: $(BENCH_PROGS) all ## packets per second with the agent against without, cost of one packet
	$(Q)mkdir -p $(BUILD)/bench
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/bench/bench_net.py $(BUILD)/bench/net.json
