# SPDX-License-Identifier: Apache-2.0
.PHONY: demo demo-stop
demo: ## install what is missing, build, and show tenants kept apart on real packets (KEEP=1: leave it running)
	$(Q)$(MAKE) --no-print-directory deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) $(PYTHON) scripts/demo.py

demo-stop: ## end what KEEP=1 make demo left running
	$(Q)scripts/demo-stop.sh
