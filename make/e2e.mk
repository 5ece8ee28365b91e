# SPDX-License-Identifier: Apache-2.0
# End-to-end tests: real traffic between network namespaces.
.PHONY: check-e2e
check-e2e: $(PROGS) ## real traffic on one and two "nodes" made of network namespaces; root
	@BH_BUILD=$(BUILD) $(RUN_TIER) --name e2e --out $(RESULTS)/e2e --root --timeout 600 \
		$(wildcard tests/e2e/test_*.py)
