/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf/vmlinux.h is written by hand: is every type, field and enumerator of it in the running
 * kernel, and the same? The header arrives here as the BTF of a program that has one variable of
 * each of its types (made from the header by the Makefile): abi_<type> for fixed layouts,
 * core_<type> for those that libbpf relocates, enum_<type>.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include "common/cleanup.h"

static const unsigned char types_object[] = {
#include "tests/bpf/vmlinux_types.inc"
};

/* What the kernel has as macros only, from its user-space headers. */
#define UAPI(name)                                                                                 \
	{                                                                                          \
#name, (uint32_t)(name)                                                            \
	}
static const struct constant {
	const char *name;
	uint32_t value;
} uapi[] = {
	UAPI(ETH_P_IP),
	UAPI(ETH_P_ARP),
	UAPI(ETH_P_RARP),
	UAPI(ETH_P_8021Q),
	UAPI(ETH_P_IPV6),
	UAPI(ETH_P_MPLS_UC),
	UAPI(ETH_P_MPLS_MC),
	UAPI(ETH_P_8021AD),
	UAPI(TC_ACT_UNSPEC),
	UAPI(TC_ACT_OK),
	UAPI(TC_ACT_SHOT),
	UAPI(TC_ACT_REDIRECT),
	UAPI(TC_ACT_RECLASSIFY),
	UAPI(TC_ACT_PIPE),
	UAPI(TC_ACT_STOLEN),
	UAPI(IPPROTO_HOPOPTS),
	UAPI(IPPROTO_ROUTING),
	UAPI(IPPROTO_FRAGMENT),
	UAPI(IPPROTO_ICMPV6),
	UAPI(IPPROTO_NONE),
	UAPI(IPPROTO_DSTOPTS),
	UAPI(IPPROTO_MH),
	{ "IP_OFFSET", IP_OFFMASK },
	UAPI(IP_MF),
	UAPI(IP_DF),
	UAPI(ARPHRD_ETHER),
	UAPI(ARPOP_REQUEST),
	UAPI(ARPOP_REPLY),
	UAPI(ICMP_ECHOREPLY),
	UAPI(ICMP_DEST_UNREACH),
	UAPI(ICMP_SOURCE_QUENCH),
	UAPI(ICMP_REDIRECT),
	UAPI(ICMP_ECHO),
	UAPI(ICMP_TIME_EXCEEDED),
	UAPI(ICMP_PARAMETERPROB),
	UAPI(ICMP_FRAG_NEEDED),
	{ "ICMPV6_DEST_UNREACH", ICMP6_DST_UNREACH },
	{ "ICMPV6_PKT_TOOBIG", ICMP6_PACKET_TOO_BIG },
	{ "ICMPV6_TIME_EXCEED", ICMP6_TIME_EXCEEDED },
	{ "ICMPV6_PARAMPROB", ICMP6_PARAM_PROB },
	{ "ICMPV6_ECHO_REQUEST", ICMP6_ECHO_REQUEST },
	{ "ICMPV6_ECHO_REPLY", ICMP6_ECHO_REPLY },
	{ "ICMPV6_MGM_QUERY", MLD_LISTENER_QUERY },
	{ "ICMPV6_MGM_REPORT", MLD_LISTENER_REPORT },
	{ "ICMPV6_MGM_REDUCTION", MLD_LISTENER_REDUCTION },
	{ "ICMPV6_MLD2_REPORT", 143 }, /* RFC 3810 section 5.2 */
	{ "NDISC_ROUTER_SOLICITATION", ND_ROUTER_SOLICIT },
	{ "NDISC_ROUTER_ADVERTISEMENT", ND_ROUTER_ADVERT },
	{ "NDISC_NEIGHBOUR_SOLICITATION", ND_NEIGHBOR_SOLICIT },
	{ "NDISC_NEIGHBOUR_ADVERTISEMENT", ND_NEIGHBOR_ADVERT },
	{ "NDISC_REDIRECT", ND_REDIRECT },
};

/* Fields that a kernel may lack; programs ask bpf_core_field_exists() before they read them. */
static const char *const optional[] = { "sk_buff.csum_not_inet" };

struct fixture {
	struct btf *ours;
	struct btf *kernel;
};

struct field {
	const char *name;
	uint32_t type; /* modifiers and typedefs resolved */
	uint32_t bit_off;
	uint32_t bits;
	bool is_bitfield;
};

#define MAX_FIELDS 128

static bool is_record(const struct btf_type *t)
{
	return btf_is_struct(t) || btf_is_union(t);
}

static uint32_t resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t))) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	return id;
}

/* All named fields of a struct, those of nameless structs and unions in it included. */
static size_t flatten(const struct btf *btf, uint32_t id, uint32_t base, struct field *f, size_t n)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);
		const uint32_t type = resolve(btf, m[i].type);
		const uint32_t off = base + btf_member_bit_offset(t, i);
		const uint32_t bf = btf_member_bitfield_size(t, i);

		if (!*name && is_record(btf__type_by_id(btf, type))) {
			n = flatten(btf, type, off, f, n);
			continue;
		}
		if (!*name)
			continue;
		assert_true(n < MAX_FIELDS);
		f[n++] = (struct field){ name, type, off, bf, bf != 0 };
		if (!bf)
			f[n - 1].bits = (uint32_t)btf__resolve_size(btf, type) * 8;
	}
	return n;
}

static const struct field *find(const struct field *f, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return &f[i];
	return NULL;
}

static bool is_optional(const char *record, const char *field)
{
	const size_t len = strlen(record);

	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++)
		if (strncmp(optional[i], record, len) == 0 && optional[i][len] == '.' &&
		    strcmp(optional[i] + len + 1, field) == 0)
			return true;
	return false;
}

static unsigned int differ(const char *record, const char *field, const char *how)
{
	print_error("%s.%s: %s\n", record, field, how);
	return 1;
}

/*
 * How many fields of @our_id the kernel's @kernel_id lacks or has otherwise; @fixed: offsets count.
 */
static unsigned int compare_record(const struct fixture *fx, const char *name, uint32_t our_id,
				   uint32_t kernel_id, bool fixed)
{
	struct field ours[MAX_FIELDS], theirs[MAX_FIELDS];
	const size_t n = flatten(fx->ours, our_id, 0, ours, 0);
	const size_t m = flatten(fx->kernel, kernel_id, 0, theirs, 0);
	unsigned int bad = 0;

	for (size_t i = 0; i < n; i++) {
		const struct field *o = &ours[i], *k = find(theirs, m, o->name);
		const struct btf_type *ot = btf__type_by_id(fx->ours, o->type);
		const struct btf_type *kt = k ? btf__type_by_id(fx->kernel, k->type) : NULL;

		if (!k)
			bad += is_optional(name, o->name) ? 0 : differ(name, o->name, "not there");
		else if (o->is_bitfield != k->is_bitfield)
			bad += differ(name, o->name, "a bitfield on one side only");
		else if (o->bits != k->bits)
			bad += differ(name, o->name, "another size");
		else if (fixed && o->bit_off != k->bit_off)
			bad += differ(name, o->name, "another offset");
		else if (!fixed && btf_is_ptr(ot) != btf_is_ptr(kt))
			bad += differ(name, o->name, "a pointer on one side only");
		else if (is_record(ot) != is_record(kt))
			bad += differ(name, o->name, "a struct on one side only");
		else if (is_record(ot))
			bad += compare_record(fx, o->name, o->type, k->type, fixed);
	}
	return bad;
}

static unsigned int compare_named(const struct fixture *fx, uint32_t our_id, bool fixed)
{
	const struct btf_type *ot = btf__type_by_id(fx->ours, our_id);
	const char *name = btf__name_by_offset(fx->ours, ot->name_off);
	const int32_t kernel_id = btf__find_by_name_kind(fx->kernel, name, BTF_KIND_STRUCT);
	const struct btf_type *kt;

	if (kernel_id < 0)
		return differ(name, "", "no such struct");
	kt = btf__type_by_id(fx->kernel, (uint32_t)kernel_id);
	/* the context of TC programs grows at its end from kernel to kernel */
	if (fixed &&
	    (ot->size > kt->size || (ot->size < kt->size && strcmp(name, "__sk_buff") != 0)))
		return differ(name, "", "another size");
	return compare_record(fx, name, our_id, (uint32_t)kernel_id, fixed);
}

struct enumerator {
	const char *name;
	uint32_t value;
	bool seen;  /* in the kernel's BTF or in its user-space headers */
	bool wrong; /* with another value */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct enumerator *)a)->name, ((const struct enumerator *)b)->name);
}

static void confirm(struct enumerator *e, size_t n, const char *name, uint32_t value)
{
	const struct enumerator key = { .name = name };
	struct enumerator *hit = bsearch(&key, e, n, sizeof(*e), by_name);

	if (!hit)
		return;
	hit->seen = true;
	hit->wrong = hit->wrong || hit->value != value;
}

/* Every enumerator of @btf: name and the low 32 bits of its value. */
static void each_enumerator(const struct btf *btf, void (*fn)(void *, const char *, uint32_t),
			    void *arg)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		for (uint32_t i = 0; btf_is_enum(t) && i < btf_vlen(t); i++)
			fn(arg, btf__name_by_offset(btf, btf_enum(t)[i].name_off),
			   (uint32_t)btf_enum(t)[i].val);
		for (uint32_t i = 0; btf_is_enum64(t) && i < btf_vlen(t); i++)
			fn(arg, btf__name_by_offset(btf, btf_enum64(t)[i].name_off),
			   btf_enum64(t)[i].val_lo32);
	}
}

struct enumerators {
	struct enumerator e[256];
	size_t n;
};

static void collect(void *arg, const char *name, uint32_t value)
{
	struct enumerators *es = arg;

	assert_true(es->n < sizeof(es->e) / sizeof(*es->e));
	es->e[es->n++] = (struct enumerator){ .name = name, .value = value };
}

static void confirm_one(void *arg, const char *name, uint32_t value)
{
	struct enumerators *es = arg;

	confirm(es->e, es->n, name, value);
}

static unsigned int compare_enumerators(const struct fixture *fx)
{
	struct enumerators es = { 0 };
	unsigned int bad = 0;

	each_enumerator(fx->ours, collect, &es);
	assert_true(es.n > 0);
	qsort(es.e, es.n, sizeof(*es.e), by_name);
	each_enumerator(fx->kernel, confirm_one, &es);
	for (size_t i = 0; i < sizeof(uapi) / sizeof(*uapi); i++)
		confirm(es.e, es.n, uapi[i].name, uapi[i].value);
	for (size_t i = 0; i < es.n; i++) {
		if (!es.e[i].seen)
			bad += differ("enum", es.e[i].name, "not in the kernel");
		else if (es.e[i].wrong)
			bad += differ("enum", es.e[i].name, "another value");
	}
	return bad;
}

/* Runs the comparison over every variable called @prefix<type>; how many there were, in @ret_n. */
static unsigned int compare_all(const struct fixture *fx, const char *prefix, bool fixed,
				unsigned int *ret_n)
{
	unsigned int bad = 0;

	*ret_n = 0;
	for (uint32_t id = 1; id < btf__type_cnt(fx->ours); id++) {
		const struct btf_type *t = btf__type_by_id(fx->ours, id);
		const char *name = btf__name_by_offset(fx->ours, t->name_off);

		if (!btf_is_var(t) || strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		bad += compare_named(fx, resolve(fx->ours, t->type), fixed);
		++*ret_n;
	}
	return bad;
}

static void vmlinux__fixed_layouts__size_and_offsets_are_the_kernels(void **state)
{
	unsigned int n;

	assert_int_equal(compare_all(*state, "abi_", true, &n), 0);
	assert_int_equal(n, VMLINUX_ABI);
}

static void vmlinux__relocated_structs__every_field_is_there(void **state)
{
	unsigned int n;

	assert_int_equal(compare_all(*state, "core_", false, &n), 0);
	assert_int_equal(n, VMLINUX_CORE);
}

static void vmlinux__enumerators__values_are_the_kernels(void **state)
{
	assert_int_equal(compare_enumerators(*state), 0);
}

static void fixedid_bits(void *arg, const char *name, uint32_t value)
{
	if (strstr(name, "SKB_GSO_TCP_FIXEDID"))
		*(uint32_t *)arg |= value;
}

/* SKB_GSO_FIXEDID_ANY is a macro, so its value is spelled out here. */
static void vmlinux__gso_fixed_id_bits__all_known(void **state)
{
	const struct fixture *fx = *state;
	uint32_t bits = 0;

	each_enumerator(fx->kernel, fixedid_bits, &bits);
	assert_true(bits & 1u << 3);
	assert_int_equal(bits & ~(1u << 3 | 1u << 30 | 1u << 31), 0);
}

/* Would a mistake in the header be seen? A made-up header against the real kernel. */
static unsigned int compare_made_up(const struct fixture *fx, const char *field, int type_bytes,
				    uint32_t bit_off, uint32_t bitfield)
{
	struct fixture fake = { .ours = btf__new_empty(), .kernel = fx->kernel };
	unsigned int bad;
	int id, num;

	assert_non_null(fake.ours);
	num = btf__add_int(fake.ours, "number", (size_t)type_bytes, 0);
	assert_true(num > 0);
	id = btf__add_struct(fake.ours, "udphdr", 8);
	assert_true(id > 0);
	assert_int_equal(btf__add_field(fake.ours, field, num, bit_off, bitfield), 0);
	bad = compare_named(&fake, (uint32_t)id, true);
	btf__free(fake.ours);
	return bad;
}

static void vmlinux__wrong_field__is_noticed(void **state)
{
	assert_int_equal(compare_made_up(*state, "dest", 2, 16, 0), 0);
	assert_int_equal(compare_made_up(*state, "destination", 2, 16, 0), 1);
	assert_int_equal(compare_made_up(*state, "dest", 4, 16, 0), 1);
	assert_int_equal(compare_made_up(*state, "dest", 2, 32, 0), 1);
	assert_int_equal(compare_made_up(*state, "dest", 2, 16, 4), 1);
}

static void vmlinux__wrong_enumerator__is_noticed(void **state)
{
	const struct fixture *fx = *state;
	struct fixture fake = { .ours = btf__new_empty(), .kernel = fx->kernel };
	unsigned int bad;

	assert_non_null(fake.ours);
	assert_true(btf__add_enum(fake.ours, "fake", 4) > 0);
	assert_int_equal(btf__add_enum_value(fake.ours, "SKB_GSO_UDP_L4", 1 << 17), 0);
	assert_int_equal(btf__add_enum_value(fake.ours, "SKB_GSO_UDP_L5", 1 << 17), 0);
	assert_int_equal(btf__add_enum_value(fake.ours, "SKB_GSO_ESP", 1 << 16), 0);
	bad = compare_enumerators(&fake);
	btf__free(fake.ours);
	assert_int_equal(bad, 2);
}

static int setup(void **state)
{
	static struct fixture fx;
	bh_autoclose int fd = memfd_create("types", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 ||
	    write(fd, types_object, sizeof(types_object)) != (ssize_t)sizeof(types_object))
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fx.ours = btf__parse_elf(path, NULL);
	fx.kernel = btf__load_vmlinux_btf();
	if (!fx.ours || !fx.kernel) {
		print_error("no BTF: %s\n", strerror(errno));
		return -1;
	}
	*state = &fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	btf__free(fx->ours);
	btf__free(fx->kernel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmlinux__fixed_layouts__size_and_offsets_are_the_kernels),
		cmocka_unit_test(vmlinux__relocated_structs__every_field_is_there),
		cmocka_unit_test(vmlinux__enumerators__values_are_the_kernels),
		cmocka_unit_test(vmlinux__gso_fixed_id_bits__all_known),
		cmocka_unit_test(vmlinux__wrong_field__is_noticed),
		cmocka_unit_test(vmlinux__wrong_enumerator__is_noticed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
