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
CPPFLAGS_ALL = -D_GNU_SOURCE -DBH_VERSION='"$(VERSION)"' -I. -I$(BUILD) \
	    $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu17 $(WARN) -fno-omit-frame-pointer -fstack-protector-strong -fPIE \
	    $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(CFLAGS)
LDFLAGS_ALL  = $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
LDLIBS       = $(shell $(PKG_CONFIG) --libs $(PKGS))
BPF_CFLAGS   = -g -O2 --target=bpf -mcpu=v3 -Wall -Wextra -Werror -I. $(BPF_CPPFLAGS)

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

OBJ      := $(patsubst %.c,$(BUILD)/%.o,$(LIB_SRC) $(MAIN_SRC) $(UNIT_SRC) $(BPFT_SRC) $(THELP_SRC))
LIB      := $(BUILD)/libbulkhead.a
SKEL     := $(BPF_SRC:%.bpf.c=$(BUILD)/%.skel.h)
UNIT     := $(UNIT_SRC:%.c=$(BUILD)/%)
BPFT     := $(BPFT_SRC:%.c=$(BUILD)/%)
AGENT    := $(BUILD)/bin/bulkheadd
CTL      := $(BUILD)/bin/bulkheadctl
PROGS    := $(if $(wildcard agent/main.c),$(AGENT)) $(if $(wildcard ctl/main.c),$(CTL))

.PHONY: all FORCE
all: $(PROGS) ## build the programs (default)

# One file per kind of flag: it is rewritten only when they change, and everything depends on it.
FLAGS = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(CLANG) $(BPF_CFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

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

$(UNIT) $(BPFT): %: %.o $(THELP_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(call say,LD)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LDLIBS) \
		$(shell $(PKG_CONFIG) --libs $(TPKGS)) -o $@

-include $(wildcard make/*.mk)
-include $(OBJ:.o=.d) $(BPF_SRC:%.bpf.c=$(BUILD)/%.bpf.d)

.PHONY: clean
clean: ## remove every build folder
	rm -rf build build-*
