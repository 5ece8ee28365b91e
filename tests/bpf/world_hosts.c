/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "common/addr.h"
#include "tests/bpf/world.h"

#define OWN_MAC "02:00:00:00:00:10"

/* Everybody who has a name in a packet's text. */
static const struct pkt_host hosts[] = {
	{ "own", OWN_MAC, "10.1.0.10", "fd00:1::10" },
	{ "ownll", OWN_MAC, NULL, "fe80::ff:fe00:10" },
	{ "evil", "02:66:66:66:66:66", "10.1.0.66", "fd00:1::66" }, /* owned by nobody */
	{ "mate", "02:00:00:00:00:11", "10.1.0.11", "fd00:1::11" },
	{ "matell", NULL, NULL, "fe80::ff:fe00:11" },
	{ "foe", "02:00:00:00:00:12", "10.1.0.12", "fd00:1::12" },
	{ "foell", NULL, NULL, "fe80::ff:fe00:12" },
	{ "friend", NULL, "10.1.0.13", "fd00:1::13" },
	{ "caller", NULL, "10.1.0.14", "fd00:1::14" },
	{ "system", NULL, "10.1.0.20", "fd00:1::20" },
	{ "unassigned", NULL, "10.1.0.21", "fd00:1::21" },
	{ "unprotected", NULL, "10.1.0.22", "fd00:1::22" },
	{ "mixed", NULL, "10.1.0.23", "fd00:1::23" },
	{ "conflict", NULL, "10.1.0.24", "fd00:1::24" },
	{ "unknown", NULL, "10.1.0.200", "fd00:1::200" },
	{ "gw", "02:00:00:00:00:01", "10.1.0.1", "fd00:1::1" }, /* this node */
	{ "gwll", "02:00:00:00:00:01", NULL, "fe80::1" },
	{ "llgw", NULL, "169.254.1.1", "fe80::abcd" }, /* a router that is no address of a node */
	{ "node", NULL, "192.0.2.5", "2001:db8:5::5" },
	{ "dns", NULL, "10.1.0.53", "fd00:1::53" },	       /* a system pod */
	{ "nodedns", NULL, "192.0.2.53", "2001:db8:5::53" },   /* a resolver on a node */
	{ "api", NULL, "10.96.0.1", "fd00:96::1" },	       /* ClusterIP: every port */
	{ "apinode", NULL, "192.0.2.6", "2001:db8:5::6" },     /* ports 6443 and 8443 of a node */
	{ "apiworld", NULL, "203.0.113.6", "2001:db8:99::6" }, /* port 443 of an outer host */
	{ "apipod", NULL, "10.1.0.25", "fd00:1::25" },	       /* port 6443 of the foe's pod */
	{ "public", NULL, "203.0.113.7", "2001:db8:99::7" },
	{ "private", NULL, "192.168.7.7", "fd99::7" },
	{ "linklocal", NULL, "169.254.7.7", "fe80::7:7" },
	{ "metadata", NULL, "169.254.169.254", "fd00:ec2::254" },
	{ "invalid", NULL, "127.0.0.1", "::1" },
	{ "grantee", NULL, "10.1.0.15", "fd00:1::15" }, /* a pod of T_GRANTED */
	/* ClusterIPs, by what is behind them */
	{ "svcown", NULL, "10.96.0.10", "fd00:96::10" },
	{ "svcfriend", NULL, "10.96.0.13", "fd00:96::13" },
	{ "svcsystem", NULL, "10.96.0.20", "fd00:96::20" },
	{ "svcfree", NULL, "10.96.0.21", "fd00:96::21" },
	{ "svcmixed", NULL, "10.96.0.22", "fd00:96::22" },
	{ "svcnode", NULL, "10.96.0.24", "fd00:96::24" },
	{ "svcdns", NULL, "10.96.0.53", "fd00:96::53" },
	/* outer addresses that Services have as external ones, by what is behind these */
	{ "extown", NULL, "203.0.113.10", "2001:db8:99::10" },
	{ "extfoe", NULL, "203.0.113.12", "2001:db8:99::12" },
	{ "extsystem", NULL, "203.0.113.20", "2001:db8:99::20" },
	{ "extfree", NULL, "203.0.113.21", "2001:db8:99::21" },
	{ "extmixed", NULL, "203.0.113.22", "2001:db8:99::22" },
	{ "extprivate", NULL, "192.168.7.8", "fd99::8" }, /* the foe's */
	/* behind NAT64 routers: with the well-known prefix, and with the operator's */
	{ "nat64mate", NULL, NULL, "64:ff9b::10.1.0.11" },
	{ "nat64foe", NULL, NULL, "64:ff9b::10.1.0.12" },
	{ "nat64node", NULL, NULL, "64:ff9b::192.0.2.5" },
	{ "nat64dns", NULL, NULL, "64:ff9b::10.1.0.53" },
	{ "nat64api", NULL, NULL, "64:ff9b::192.0.2.6" },
	{ "nat64unknown", NULL, NULL, "64:ff9b::10.1.0.200" },
	{ "nat64private", NULL, NULL, "64:ff9b::192.168.7.7" },
	{ "nat64metadata", NULL, NULL, "64:ff9b::169.254.169.254" },
	{ "nat64loopback", NULL, NULL, "64:ff9b::127.0.0.1" },
	{ "nat64public", NULL, NULL, "64:ff9b::203.0.113.7" },
	{ "nat64granted", NULL, NULL, "64:ff9b::172.16.0.1" },
	{ "nat64excepted", NULL, NULL, "64:ff9b::172.16.5.1" },
	{ "nat64extfoe", NULL, NULL, "64:ff9b::203.0.113.12" },
	{ "own64foe", NULL, NULL, "2001:db8:64::10.1.0.12" },
	{ "own64public", NULL, NULL, "2001:db8:64::203.0.113.7" },
	{ "own64metadata", NULL, NULL, "2001:db8:64::169.254.169.254" },
	{ "own64beside", NULL, NULL, "2001:db8:64::1:a01:c" }, /* not in the /96 */
	{ "last64foe", NULL, NULL, "fd00:64::10.1.0.12" },
	{ "compatible", NULL, NULL, "::10.1.0.11" },
	{ "mapped", NULL, NULL, "mapped:203.0.113.7" },
	{ "any", "00:00:00:00:00:00", "0.0.0.0", "::" },
	{ "all", "ff:ff:ff:ff:ff:ff", "255.255.255.255", "ff02::1" },
	{ "subnet", NULL, "10.1.0.255", NULL },
	{ "group", "01:00:5e:00:00:fb", "224.0.0.251", "ff02::fb" },
	{ "routers", "33:33:00:00:00:02", "224.0.0.2", "ff02::2" },
	{ "mld2", "33:33:00:00:00:16", NULL, "ff02::16" },
};

#define N_HOSTS (sizeof(hosts) / sizeof(hosts[0]))

const struct pkt_hosts world_hosts[2] = {
	[BH_DIR_EGRESS] = { hosts, N_HOSTS, "own", "own", "public", "gw" },
	[BH_DIR_INGRESS] = { hosts, N_HOSTS, "public", "gw", "own", "own" },
};

static const struct owner {
	const char *host;
	struct bh_abi_addr is; /* ports in host order here */
} owners[] = {
	{ "own", { .cls = BH_CLASS_TENANT, .tenant = T_OWN } },
	{ "ownll", { .cls = BH_CLASS_TENANT, .tenant = T_OWN } },
	{ "mate", { .cls = BH_CLASS_TENANT, .tenant = T_OWN } },
	{ "matell", { .cls = BH_CLASS_TENANT, .tenant = T_OWN } },
	{ "foe", { .cls = BH_CLASS_TENANT, .tenant = T_FOE } },
	{ "foell", { .cls = BH_CLASS_TENANT, .tenant = T_FOE } },
	{ "friend", { .cls = BH_CLASS_TENANT, .tenant = T_FRIEND } },
	{ "caller", { .cls = BH_CLASS_TENANT, .tenant = T_CALLER } },
	{ "system", { .cls = BH_CLASS_SYSTEM } },
	{ "unassigned", { .cls = BH_CLASS_UNASSIGNED } },
	{ "unprotected", { .cls = BH_CLASS_UNPROTECTED } },
	{ "mixed", { .cls = BH_CLASS_MIXED } },
	{ "conflict", { .cls = BH_CLASS_CONFLICT } },
	{ "gw", { .cls = BH_CLASS_NODE } },
	{ "gwll", { .cls = BH_CLASS_NODE } },
	{ "node", { .cls = BH_CLASS_NODE } },
	{ "dns", { .cls = BH_CLASS_SYSTEM, .flags = BH_ADDR_DNS } },
	{ "nodedns", { .cls = BH_CLASS_NODE, .flags = BH_ADDR_DNS } },
	{ "api", { .cls = BH_CLASS_UNKNOWN, .flags = BH_ADDR_APISERVER_ANY } },
	{ "apinode", { .cls = BH_CLASS_NODE, .api_ports = { 6443, 8443 } } },
	{ "apiworld", { .cls = BH_CLASS_WORLD_PUBLIC, .api_ports = { 443 } } },
	{ "apipod", { .cls = BH_CLASS_TENANT, .tenant = T_FOE, .api_ports = { 6443 } } },
	{ "grantee", { .cls = BH_CLASS_TENANT, .tenant = T_GRANTED } },
	{ "svcown", { .cls = BH_CLASS_TENANT, .tenant = T_OWN, .flags = BH_ADDR_SERVICE } },
	{ "svcfriend", { .cls = BH_CLASS_TENANT, .tenant = T_FRIEND, .flags = BH_ADDR_SERVICE } },
	{ "svcsystem", { .cls = BH_CLASS_SYSTEM, .flags = BH_ADDR_SERVICE } },
	{ "svcfree", { .cls = BH_CLASS_UNASSIGNED, .flags = BH_ADDR_SERVICE } },
	{ "svcmixed", { .cls = BH_CLASS_MIXED, .flags = BH_ADDR_SERVICE } },
	{ "svcnode", { .cls = BH_CLASS_NODE, .flags = BH_ADDR_SERVICE } },
	{ "svcdns", { .cls = BH_CLASS_SYSTEM, .flags = BH_ADDR_SERVICE | BH_ADDR_DNS } },
#define EXTERNAL .flags = BH_ADDR_EXTERNAL, .owner
	{ "extown", { .cls = BH_CLASS_WORLD_PUBLIC, EXTERNAL = BH_CLASS_TENANT, .tenant = T_OWN } },
	{ "extfoe", { .cls = BH_CLASS_WORLD_PUBLIC, EXTERNAL = BH_CLASS_TENANT, .tenant = T_FOE } },
	{ "extsystem", { .cls = BH_CLASS_WORLD_PUBLIC, EXTERNAL = BH_CLASS_SYSTEM } },
	{ "extfree", { .cls = BH_CLASS_WORLD_PUBLIC, EXTERNAL = BH_CLASS_UNASSIGNED } },
	{ "extmixed", { .cls = BH_CLASS_WORLD_PUBLIC, EXTERNAL = BH_CLASS_MIXED } },
	{ "extprivate",
	  { .cls = BH_CLASS_WORLD_PRIVATE, EXTERNAL = BH_CLASS_TENANT, .tenant = T_FOE } },
};

static const struct {
	const char *prefix;
	enum bh_class cls;
} cidrs[] = {
	{ "10.1.0.0/16", BH_CLASS_UNKNOWN },
	{ "fd00:1::/64", BH_CLASS_UNKNOWN },
	{ "10.96.0.0/16", BH_CLASS_UNKNOWN },
	{ "fd00:96::/64", BH_CLASS_UNKNOWN },
	{ "169.254.169.254/32", BH_CLASS_METADATA },
	{ "fd00:ec2::254/128", BH_CLASS_METADATA },
	{ "169.254.0.0/16", BH_CLASS_WORLD_LINKLOCAL },
	{ "fe80::/10", BH_CLASS_WORLD_LINKLOCAL },
	{ "192.168.0.0/16", BH_CLASS_WORLD_PRIVATE },
	{ "fc00::/7", BH_CLASS_WORLD_PRIVATE },
	{ "172.16.0.0/12", BH_CLASS_WORLD_PRIVATE },
	{ "127.0.0.0/8", BH_CLASS_INVALID },
	{ "::1/128", BH_CLASS_INVALID },
	{ "0.0.0.0/8", BH_CLASS_INVALID },
	{ "::/96", BH_CLASS_INVALID },
	{ "240.0.0.0/4", BH_CLASS_INVALID },
	{ "ff00::/8", BH_CLASS_INVALID },
};

static const struct {
	const char *who;
	enum bh_role role;
	uint32_t tenant;
	uint8_t flags;
} endpoints[] = {
	{ "tenant", BH_ROLE_TENANT, T_OWN, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "control_plane", BH_ROLE_CONTROL_PLANE, T_OWN, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "unassigned", BH_ROLE_UNASSIGNED, BH_TENANT_UNASSIGNED, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "conflict", BH_ROLE_CONFLICT, BH_TENANT_CONFLICT, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "system", BH_ROLE_SYSTEM, BH_TENANT_SYSTEM, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "audit", BH_ROLE_TENANT, T_AUDIT, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "off", BH_ROLE_TENANT, T_OFF, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "world_all", BH_ROLE_TENANT, T_ALL, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "world_none", BH_ROLE_TENANT, T_NONE, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "granted", BH_ROLE_TENANT, T_GRANTED, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "ghost", BH_ROLE_TENANT, T_GHOST, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
	{ "v4only", BH_ROLE_TENANT, T_OWN, BH_EP_HAS_V4 },
	{ "v6only", BH_ROLE_TENANT, T_OWN, BH_EP_HAS_V6 },
	{ "strange_role", 200, T_OWN, BH_EP_HAS_V4 | BH_EP_HAS_V6 },
};

static const struct {
	uint32_t id;
	struct bh_abi_tenant is;
} tenants[] = {
	{ T_OWN, { 0 } },
	{ T_FOE, { 0 } },
	{ T_FRIEND, { 0 } },
	{ T_CALLER, { 0 } },
	{ T_AUDIT, { .mode = 1 } },
	{ T_OFF, { .mode = 2 } },
	{ T_ALL, { .world_egress = 1, .world_ingress = 1 } },
	{ T_NONE, { .world_egress = 2, .world_ingress = 2 } },
	{ T_GRANTED, { 0 } },
};

#define SET_FRIEND 1000 /* ids of port sets */
#define SET_443 1001
#define SET_MISSING 1002 /* not in the map */
#define SET_FULL 1003	 /* every even port of TCP from 1000: as many ranges as there may be */

#define TCP_RANGE(lo, hi)                                                                          \
	{                                                                                          \
		IPPROTO_TCP << 16 | (lo), IPPROTO_TCP << 16 | (hi)                                 \
	}
#define SCTP_RANGE(lo, hi)                                                                         \
	{                                                                                          \
		IPPROTO_SCTP << 16 | (lo), IPPROTO_SCTP << 16 | (hi)                               \
	}
#define UDP_RANGE(lo, hi)                                                                          \
	{                                                                                          \
		IPPROTO_UDP << 16 | (lo), IPPROTO_UDP << 16 | (hi)                                 \
	}

static const struct {
	uint64_t id;
	struct bh_abi_portset is;
} portsets[] = {
	{ SET_FRIEND,
	  { .n = 6,
	    .r = { { IPPROTO_ICMP << 16, IPPROTO_ICMP << 16 | 0xffff },
		   TCP_RANGE(1, 1),
		   TCP_RANGE(5432, 5432),
		   TCP_RANGE(65535, 65535),
		   UDP_RANGE(5000, 5010),
		   SCTP_RANGE(3868, 3868) } } },
	{ SET_443, { .n = 1, .r = { TCP_RANGE(443, 443) } } },
};

static const struct {
	struct bh_abi_peer_key key;
	uint64_t set;
} peers[] = {
	{ { .tenant = T_OWN, .peer_tenant = T_FRIEND, .cls = BH_CLASS_TENANT }, SET_FRIEND },
	{ { .tenant = T_OWN, .peer_tenant = T_CALLER, .cls = BH_CLASS_TENANT, .dir = IN },
	  SET_FRIEND },
	{ { .tenant = T_GRANTED, .peer_tenant = T_FOE, .cls = BH_CLASS_TENANT }, BH_PORTS_ANY },
	{ { .tenant = T_GRANTED, .peer_tenant = T_FRIEND, .cls = BH_CLASS_TENANT }, BH_PORTS_NONE },
	{ { .tenant = T_GRANTED, .peer_tenant = T_CALLER, .cls = BH_CLASS_TENANT }, SET_MISSING },
	{ { .tenant = T_GRANTED, .peer_tenant = T_OWN, .cls = BH_CLASS_TENANT }, SET_FULL },
	{ { .tenant = T_GRANTED, .cls = BH_CLASS_APISERVER }, BH_PORTS_ANY },
	{ { .tenant = T_GRANTED, .cls = BH_CLASS_NODE }, SET_443 },
	{ { .tenant = T_GRANTED, .cls = BH_CLASS_METADATA }, BH_PORTS_ANY },
};

/* cidr grants of T_GRANTED, egress, flattened as bpf/grants.c does it */
static const struct {
	const char *prefix;
	uint8_t dir;
	uint64_t set;
} world_grants[] = {
	{ "172.16.0.0/16", OUT, SET_443 },	  { "172.16.5.0/24", OUT, BH_PORTS_NONE },
	{ "172.16.5.128/25", OUT, BH_PORTS_ANY }, { "172.16.9.0/24", OUT, SET_MISSING },
	{ "172.20.0.0/16", IN, BH_PORTS_ANY },	  { "fd99::/64", OUT, SET_443 },
	{ "fd99::5:0/112", OUT, BH_PORTS_NONE },  { "10.1.0.0/16", OUT, BH_PORTS_ANY },
	{ "192.0.2.0/24", OUT, BH_PORTS_ANY },	  { "10.96.0.0/16", OUT, BH_PORTS_ANY },
};

/* grants towards Services; IN: those that open unassigned pods behind them */
static const struct {
	uint32_t tenant;
	const char *host;
	uint8_t dir;
	uint64_t set;
} services[] = {
	{ T_GRANTED, "svcsystem", OUT, SET_443 },    { T_GRANTED, "svcfree", OUT, BH_PORTS_ANY },
	{ T_GRANTED, "svcmixed", OUT, SET_MISSING }, { T_GRANTED, "extfree", OUT, SET_443 },
	{ T_GRANTED, "svcdns", OUT, SET_443 },	     { T_GRANTED, "own", IN, SET_443 },
	{ T_GRANTED, "unassigned", IN, SET_443 },    { T_OWN, "svcfree", IN, BH_PORTS_ANY },
	{ T_FOE, "svcsystem", OUT, BH_PORTS_ANY },   { T_GRANTED, "svcnode", OUT, SET_FRIEND },
};

/* the operator's NAT64 prefixes; the places between them are empty */
static const char *const nat64[BH_ABI_NAT64_MAX] = { NULL, "2001:db8:64::", NULL, "fd00:64::" };

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) < 0)
		abort();
}

static struct bh_addr address(const char *text)
{
	struct bh_addr a;

	if (bh_addr_parse(text, &a) < 0)
		abort();
	return a;
}

static const struct pkt_host *host(const char *name)
{
	for (size_t i = 0; i < N_HOSTS; i++) {
		if (!strcmp(hosts[i].name, name))
			return &hosts[i];
	}
	abort();
}

static void fill_addrs(struct world *w)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		const struct pkt_host *h = host(owners[i].host);
		const char *const texts[] = { h->ip4, h->ip6 };
		struct bh_abi_addr v = owners[i].is;

		v.api_ports[0] = htons(v.api_ports[0]);
		v.api_ports[1] = htons(v.api_ports[1]);
		for (size_t k = 0; k < 2; k++) {
			struct bh_addr a;

			if (!texts[k])
				continue;
			a = address(texts[k]);
			put(w->skel->maps.bh_addrs, a.b, &v);
		}
	}
}

static void fill_cidrs(struct world *w)
{
	const struct bh_abi_cidr_key all = { .prefixlen = 0 };
	const struct bh_abi_cidr public = { .cls = BH_CLASS_WORLD_PUBLIC };

	put(w->skel->maps.bh_cidrs, &all, &public);
	for (size_t i = 0; i < sizeof(cidrs) / sizeof(cidrs[0]); i++) {
		const struct bh_abi_cidr v = { .cls = cidrs[i].cls };
		struct bh_abi_cidr_key key = { 0 };
		struct bh_prefix p;

		if (bh_prefix_parse(cidrs[i].prefix, &p, NULL) < 0)
			abort();
		key.prefixlen = p.len;
		memcpy(key.addr, p.addr.b, 16);
		put(w->skel->maps.bh_cidrs, &key, &v);
	}
}

static void fill_world_grants(struct world *w)
{
	for (size_t i = 0; i < sizeof(world_grants) / sizeof(world_grants[0]); i++) {
		struct bh_abi_world_key key = { .tenant = T_GRANTED, .dir = world_grants[i].dir };
		struct bh_prefix p;

		if (bh_prefix_parse(world_grants[i].prefix, &p, NULL) < 0)
			abort();
		key.prefixlen = BH_WORLD_KEY_FIXED_BITS + p.len;
		memcpy(key.addr, p.addr.b, 16);
		put(w->skel->maps.bh_world, &key, &world_grants[i].set);
	}
}

static void fill_portsets(struct world *w)
{
	struct bh_abi_portset full = { .n = BH_PORTSET_MAX };
	const uint64_t id = SET_FULL;

	for (size_t i = 0; i < sizeof(portsets) / sizeof(portsets[0]); i++)
		put(w->skel->maps.bh_portsets, &portsets[i].id, &portsets[i].is);
	for (uint32_t i = 0; i < BH_PORTSET_MAX; i++)
		full.r[i] = (struct bh_abi_port_range)TCP_RANGE(1000 + 2 * i, 1000 + 2 * i);
	put(w->skel->maps.bh_portsets, &id, &full);
}

static void fill_services(struct world *w)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		const struct pkt_host *h = host(services[i].host);
		const struct bh_addr addrs[] = { address(h->ip4), address(h->ip6) };
		struct bh_abi_service_key key = { .tenant = services[i].tenant,
						  .dir = services[i].dir };

		for (size_t k = 0; k < 2; k++) {
			memcpy(key.addr, addrs[k].b, 16);
			put(w->skel->maps.bh_services, &key, &services[i].set);
		}
	}
}

static void fill_nat64(struct world *w)
{
	struct bh_abi_nat64 v = { 0 };
	const uint32_t zero = 0;

	for (size_t i = 0; i < BH_ABI_NAT64_MAX; i++) {
		struct bh_addr a;

		if (!nat64[i])
			continue;
		a = address(nat64[i]);
		memcpy(v.prefix[i], a.b, sizeof(v.prefix[i]));
	}
	put(w->skel->maps.bh_nat64, &zero, &v);
}

void world_fill(struct world *w)
{
	fill_addrs(w);
	fill_cidrs(w);
	fill_portsets(w);
	fill_world_grants(w);
	fill_services(w);
	fill_nat64(w);
	for (size_t i = 0; i < sizeof(tenants) / sizeof(tenants[0]); i++)
		put(w->skel->maps.bh_tenants, &tenants[i].id, &tenants[i].is);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		put(w->skel->maps.bh_peers, &peers[i].key, &peers[i].set);
}

void world_become(struct world *w, uint32_t ifindex, const char *who)
{
	const struct bh_addr ip4 = address(host("own")->ip4), ip6 = address(host("own")->ip6),
			     ll6 = address(host("ownll")->ip6);
	struct bh_abi_endpoint ep = { 0 };
	struct bh_mac mac;

	(void)bpf_map_delete_elem(bpf_map__fd(w->skel->maps.bh_endpoints), &ifindex);
	if (!strcmp(who, "nobody"))
		return;
	assert_int_equal(bh_mac_parse(OWN_MAC, &mac), 0);
	memcpy(ep.mac, mac.b, 6);
	memcpy(ep.ll6, ll6.b, 16);
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		if (strcmp(endpoints[i].who, who) != 0)
			continue;
		ep.role = (uint8_t)endpoints[i].role;
		ep.tenant = endpoints[i].tenant;
		ep.flags = endpoints[i].flags;
		if (ep.role != BH_ROLE_SYSTEM)
			ep.slot = ifindex == WORLD_IFINDEX ? 1 : 2;
		if (ep.flags & BH_EP_HAS_V4)
			memcpy(ep.ip4, ip4.b + 12, 4);
		if (ep.flags & BH_EP_HAS_V6)
			memcpy(ep.ip6, ip6.b, 16);
		put(w->skel->maps.bh_endpoints, &ifindex, &ep);
		return;
	}
	fail_msg("no endpoint '%s'", who);
}
