# SPDX-License-Identifier: Apache-2.0
# What is written from the sources; tests/unit/test_config.c proves that it is current.
DOCGEN := $(BUILD)/tests/docgen

$(DOCGEN): $(BUILD)/tests/docgen.o $(BUILD)/tests/unit/config_docs.o $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

.PHONY: docs
docs: $(DOCGEN) ## write docs/configuration.md anew from the option table
	$(Q)$(DOCGEN) >docs/configuration.md.new
	$(Q)mv docs/configuration.md.new docs/configuration.md

-include $(BUILD)/tests/docgen.d
