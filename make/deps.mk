# SPDX-License-Identifier: Apache-2.0
# Programs that `make deps` unpacks instead of installing them; one place for every build folder.
TOOLS := build/tools
export PATH := $(PATH):$(CURDIR)/$(TOOLS)/bin

.PHONY: deps
deps: ## install what building and testing needs (Debian 12, as root); elsewhere: say what is missing
	@PYTHON='$(PYTHON)' scripts/deps.sh $(TOOLS)
