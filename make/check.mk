# SPDX-License-Identifier: Apache-2.0
# What tests/bpf/test_vmlinux.c compares with the kernel: the types of bpf/vmlinux.h as BTF.
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
