# SPDX-License-Identifier: Apache-2.0
# docs/metrics.md; tests/unit/test_metrics.c proves that it is current.
METRICSGEN := $(BUILD)/tests/tools/metricsgen

$(METRICSGEN): $(METRICSGEN).o $(BUILD)/tests/unit/metrics_docs.o \
		$(BUILD)/tests/unit/snapshot_fixture.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

.PHONY: docs-metrics
docs: docs-metrics
docs-metrics: $(METRICSGEN) ## write docs/metrics.md anew from the table of metrics
	$(Q)$(METRICSGEN) >docs/metrics.md.new
	$(Q)mv docs/metrics.md.new docs/metrics.md

-include $(METRICSGEN).d

# runs the program itself
$(BUILD)/tests/unit/test_ctl: | $(CTL)
