/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/pkt.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 16
#define WORD_MAX 512

struct layer {
	const struct pkt_layer_def *def;
	size_t off, len;
	uint32_t given; /* fields that the text names, by index */
};

struct build {
	const struct pkt_hosts *hosts;
	struct pkt_frame f;
	struct layer v[LAYERS_MAX];
	size_t n;
	size_t trim; /* 0 = none */
};

static bool is(const struct layer *l, const char *name)
{
	return l && strcmp(l->def->name, name) == 0;
}

static int find_field(const struct pkt_layer_def *def, const char *name)
{
	for (int i = 0; i < PKT_FIELDS_MAX && def->fields[i].name; i++) {
		if (strcmp(def->fields[i].name, name) == 0)
			return i;
	}
	return -EINVAL;
}

static void put_bits(uint8_t *p, size_t bit, size_t bits, uint64_t v)
{
	for (size_t i = 0; i < bits; i++) {
		const size_t at = bit + bits - 1 - i;
		const uint8_t mask = (uint8_t)(0x80 >> at % 8);

		p[at / 8] = (uint8_t)(v >> i & 1 ? p[at / 8] | mask : p[at / 8] & ~mask);
	}
}

static uint64_t get_bits(const uint8_t *p, size_t bit, size_t bits)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bits; i++)
		v = v << 1 | (p[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1);
	return v;
}

static const struct pkt_host *find_host(const struct pkt_hosts *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (strcmp(h->v[i].name, name) == 0)
			return &h->v[i];
	}
	return NULL;
}

/* The address that @word means, as 6, 4 or 16 bytes. */
static int resolve(const struct pkt_hosts *hosts, enum pkt_kind kind, const char *word,
		   uint8_t out[static 16])
{
	const bool sn = kind == PKT_IP6 && strncmp(word, "sn:", 3) == 0;
	const struct pkt_host *h = find_host(hosts, sn ? word + 3 : word);
	const char *text = !h		     ? (sn ? word + 3 : word)
			   : kind == PKT_MAC ? h->mac
			   : kind == PKT_IP4 ? h->ip4
					     : h->ip6;
	static const uint8_t sn_prefix[13] = { 0xff, 2, [11] = 1, [12] = 0xff };
	struct bh_addr a;
	struct bh_mac m;

	if (!text)
		return -EINVAL;
	if (kind == PKT_MAC) {
		if (bh_mac_parse(text, &m) < 0)
			return -EINVAL;
		memcpy(out, m.b, 6);
		return 0;
	}
	/* "mapped:" because the parser rightly refuses ::ffff:a.b.c.d as a second spelling */
	if (kind == PKT_IP6 && strncmp(text, "mapped:", 7) == 0)
		text += 7;
	else if (bh_addr_parse(text, &a) == 0 && bh_addr_is_v4(&a) != (kind == PKT_IP4))
		return -EINVAL;
	if (bh_addr_parse(text, &a) < 0)
		return -EINVAL;
	memcpy(out, kind == PKT_IP4 ? a.b + 12 : a.b, kind == PKT_IP4 ? 4 : 16);
	if (sn)
		memcpy(out, sn_prefix, sizeof(sn_prefix));
	return 0;
}

static int append_byte(struct build *b, struct layer *l, uint8_t v)
{
	if (b->f.len == PKT_MAX)
		return -EINVAL;
	b->f.b[b->f.len++] = v;
	l->len++;
	return 0;
}

static int append_hex(struct build *b, struct layer *l, const char *hex)
{
	for (; *hex; hex += 2) {
		char two[3] = { hex[0], hex[1], 0 }, *end;
		const unsigned long v = strtoul(two, &end, 16);

		if (*end || !hex[1] || append_byte(b, l, (uint8_t)v) < 0)
			return -EINVAL;
	}
	return 0;
}

static int set_field(struct build *b, struct layer *l, const char *name, const char *value)
{
	const int i = find_field(l->def, name);
	const struct pkt_field *fd = i < 0 ? NULL : &l->def->fields[i];
	uint8_t raw[16], *at = b->f.b + l->off;
	uint64_t v = 0;
	char *end;

	if (!fd)
		return -EINVAL;
	l->given |= 1u << i;
	if (fd->kind == PKT_HEX)
		return append_hex(b, l, value);
	if (fd->kind == PKT_INT || fd->kind == PKT_LEN) {
		v = strtoull(value, &end, 0);
		if (*end || end == value)
			return -EINVAL;
	}
	if (fd->kind == PKT_INT) {
		if (fd->bits < 64 && v >> fd->bits)
			return -EINVAL;
		put_bits(at, fd->bit, fd->bits, v);
		return 0;
	}
	if (fd->kind == PKT_LEN) {
		while (v--) {
			if (append_byte(b, l, (uint8_t)(0xa0 + v % 16)) < 0)
				return -EINVAL;
		}
		return 0;
	}
	if (resolve(b->hosts, fd->kind, value, raw) < 0)
		return -EINVAL;
	memcpy(at + fd->bit / 8, raw, fd->bits / 8);
	return 0;
}

/* A field that is computed: written unless the text gave it. */
static void compute(struct build *b, const struct layer *l, const char *name, uint64_t v)
{
	const int i = find_field(l->def, name);

	if (i >= 0 && !(l->given & 1u << i))
		put_bits(b->f.b + l->off, l->def->fields[i].bit, l->def->fields[i].bits, v);
}

static uint64_t value_of(const struct build *b, const struct layer *l, const char *name)
{
	const int i = find_field(l->def, name);

	return i < 0 ? 0 : get_bits(b->f.b + l->off, l->def->fields[i].bit, l->def->fields[i].bits);
}

static int default_addresses(struct build *b, struct layer *l)
{
	static const struct {
		const char *layer, *field;
		int who; /* 0 sender's MAC, 1 receiver's MAC, 2 sender, 3 receiver */
	} defaults[] = {
		{ "eth", "src", 0 },  { "eth", "dst", 1 },  { "arp", "sha", 0 },
		{ "arp", "spa", 2 },  { "arp", "tpa", 3 },  { "ip4", "src", 2 },
		{ "ip4", "dst", 3 },  { "ip6", "src", 2 },  { "ip6", "dst", 3 },
		{ "slla", "mac", 0 }, { "tlla", "mac", 0 },
	};
	const char *const names[] = { b->hosts->from_mac, b->hosts->to_mac, b->hosts->from,
				      b->hosts->to };

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (is(l, defaults[i].layer) &&
		    set_field(b, l, defaults[i].field, names[defaults[i].who]) < 0)
			return -EINVAL;
	}
	l->given = 0;
	return 0;
}

static int add_layer(struct build *b, const char *name)
{
	for (size_t i = 0; i < pkt_n_layer_defs; i++) {
		struct layer *l = &b->v[b->n];

		if (strcmp(pkt_layer_defs[i].name, name) != 0)
			continue;
		if (b->n == LAYERS_MAX)
			return -EINVAL;
		*l = (struct layer){ .def = &pkt_layer_defs[i], .off = b->f.len };
		if (append_hex(b, l, l->def->bytes) < 0)
			return -EINVAL;
		b->n++;
		return default_addresses(b, l);
	}
	return -EINVAL;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* @ip: the header in whose packet the layer is, for the pseudo header; NULL: none. */
static uint16_t checksum(const struct build *b, const struct layer *l, size_t end,
			 const struct layer *ip)
{
	const size_t n = end - l->off;
	uint32_t sum = 0;

	if (ip) {
		const bool v4 = is(ip, "ip4");
		const uint8_t tail[4] = { (uint8_t)(n >> 8), (uint8_t)n, 0,
					  (uint8_t)l->def->proto };

		sum = sum16(sum, b->f.b + ip->off + (v4 ? 12 : 8), v4 ? 8 : 32);
		sum = sum16(sum, tail, sizeof(tail));
	}
	return (uint16_t)~sum16(sum, b->f.b + l->off, n);
}

static void finish_ip(struct build *b, const struct layer *l, const struct layer *next, size_t end)
{
	const uint64_t type = is(next, "icmp6") ? value_of(b, next, "type") : 0;

	if (is(l, "ip4")) {
		compute(b, l, "ihl", l->len / 4);
		compute(b, l, "len", end - l->off);
		compute(b, l, "csum", 0);
		compute(b, l, "csum", checksum(b, l, l->off + l->len, NULL));
		return;
	}
	compute(b, l, "len", end - l->off - l->len);
	if (type >= 133 && type <= 137) /* neighbour discovery must not be forwarded */
		compute(b, l, "ttl", 255);
	if (is(next, "hbh")) /* MLD */
		compute(b, l, "ttl", 1);
}

static void finish_layer(struct build *b, const struct layer *l, const struct layer *next,
			 const struct layer *ip, size_t end)
{
	if (next && next->def->ethertype)
		compute(b, l, "type", next->def->ethertype);
	if (next && next->def->proto >= 0)
		compute(b, l, "proto", (uint64_t)next->def->proto);
	if (is(l, "ip4") || is(l, "ip6"))
		finish_ip(b, l, next, end);
	if (is(l, "udp") || is(l, "chunk"))
		compute(b, l, "len", end - l->off);
	if (is(l, "tcp"))
		compute(b, l, "doff", l->len / 4);
	if (is(l, "icmp6") && value_of(b, l, "type") != 128 && value_of(b, l, "type") != 129) {
		compute(b, l, "id", 0);
		compute(b, l, "seq", 0);
	}
	if (is(l, "udp") || is(l, "tcp") || is(l, "icmp4") || is(l, "icmp6")) {
		const struct layer *pseudo = is(l, "icmp4") ? NULL : ip;

		uint16_t sum;

		compute(b, l, "csum", 0);
		sum = checksum(b, l, end, pseudo);
		compute(b, l, "csum", is(l, "udp") && !sum ? 0xffff : sum); /* 0 means none */
	}
}

static void finish(struct build *b)
{
	size_t end = b->f.len;

	for (size_t i = 0; i < b->n; i++) {
		if (is(&b->v[i], "pad")) {
			end = b->v[i].off;
			break;
		}
	}
	for (size_t i = b->n; i-- > 0;) {
		const struct layer *ip = NULL;

		for (size_t k = 0; k < i; k++) {
			if (is(&b->v[k], "ip4") || is(&b->v[k], "ip6"))
				ip = &b->v[k];
		}
		if (!is(&b->v[i], "pad"))
			finish_layer(b, &b->v[i], i + 1 < b->n ? &b->v[i + 1] : NULL, ip, end);
	}
	if (b->trim && b->trim < b->f.len)
		b->f.len = b->trim;
}

static int take_word(struct build *b, char *word, bool *in_trim)
{
	char *eq = strchr(word, '=');

	if (!eq) {
		*in_trim = strcmp(word, "trim") == 0;
		return *in_trim ? 0 : add_layer(b, word);
	}
	*eq = '\0';
	if (*in_trim) {
		b->trim = strtoul(eq + 1, NULL, 10);
		return strcmp(word, "len") == 0 && b->trim ? 0 : -EINVAL;
	}
	return b->n ? set_field(b, &b->v[b->n - 1], word, eq + 1) : -EINVAL;
}

int pkt_build(const char *text, const struct pkt_hosts *hosts, struct pkt_frame *ret_frame,
	      const char **ret_word)
{
	struct build b = { .hosts = hosts };
	bool in_trim = false;

	while (*text) {
		const size_t n = strcspn(text, " ");
		char word[WORD_MAX];

		*ret_word = text;
		if (n >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, n);
		word[n] = '\0';
		if (n && take_word(&b, word, &in_trim) < 0)
			return -EINVAL;
		text += n + (text[n] == ' ');
	}
	finish(&b);
	*ret_frame = b.f;
	return 0;
}
