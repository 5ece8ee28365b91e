# SPDX-License-Identifier: Apache-2.0
# A C file with one variable of each type that bpf/vmlinux.h defines, so that its BTF has them all.
# tests/bpf/test_vmlinux.c compares them with the running kernel.
BEGIN {
	kind = "abi"
	print "#include \"bpf/vmlinux.h\""
}
/^#pragma clang attribute push/ { kind = "core" }
/^#pragma clang attribute pop/ { kind = "abi" }
/^(struct|enum) [a-z0-9_]+ \{/ {
	k = $1 == "enum" ? "enum" : kind
	n[k]++
	printf "%s %s %s_%s;\n", $1, $2, k, $2
}
END {
	printf "#define VMLINUX_ABI %d\n#define VMLINUX_CORE %d\n", n["abi"], n["core"]
}
