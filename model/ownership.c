/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "model/derive.h"
#include "model/special.h"

#define DNS_NAMESPACE "kube-system"
#define DNS_SERVICE "kube-dns"
#define API_NAMESPACE "default"
#define API_SERVICE "kubernetes"

/* One thing that an address is said to be. */
struct saying {
	struct bh_addr addr;
	enum { SAYS_NODE, SAYS_POD, SAYS_DNS, SAYS_API_ANY, SAYS_API_PORT } what;
	uint16_t port;	   /* API_PORT */
	enum bh_class cls; /* POD */
	uint32_t tenant;   /* POD */
};

struct sayings {
	struct saying *v;
	size_t n, cap;
	int error;
	struct bh_special_index special;
};

static void say(struct sayings *s, const struct bh_addr *a, struct saying what)
{
	const struct bh_special *special = bh_special_index_find(&s->special, a);

	if (special && special->cls == BH_CLASS_INVALID)
		return;
	if (what.what == SAYS_POD && special &&
	    (special->cls == BH_CLASS_WORLD_LINKLOCAL || special->cls == BH_CLASS_METADATA))
		return;
	if (s->error)
		return;
	if (s->n == s->cap) {
		const size_t cap = s->cap ? 2 * s->cap : 1024;
		struct saying *bigger = reallocarray(s->v, cap, sizeof(*s->v));

		if (!bigger) {
			s->error = -ENOMEM;
			return;
		}
		s->v = bigger;
		s->cap = cap;
	}
	what.addr = *a;
	s->v[s->n++] = what;
}

static void say_all(struct sayings *s, const struct bh_addr *v, size_t n, struct saying what)
{
	for (size_t i = 0; i < n; i++)
		say(s, &v[i], what);
}

/* A node and what was found out about it: pods of one node come in rows. */
struct asked_node {
	const char *name;
	bool ready;
};

static bool node_is_ready(const struct bh_model *m, char *name, struct asked_node *last)
{
	const struct bh_object_key key = { .kind = BH_KIND_NODE, .name = name };
	const struct bh_object *o;

	if (!last->name || strcmp(last->name, name) != 0) {
		o = bh_model_get(m, &key);
		*last = (struct asked_node){ name, o && o->node.ready };
	}
	return last->ready;
}

static void say_pods(const struct bh_model *m, const struct bh_env *env, const struct bh_picture *p,
		     struct sayings *s)
{
	struct asked_node last = { 0 };

	for (size_t i = 0; i < p->n_pods; i++) {
		const struct bh_pic_pod *pod = &p->pods[i];
		struct saying what = { .what = SAYS_POD, .cls = pod->cls, .tenant = pod->tenant };

		if (!pod->live)
			continue;
		/* nothing there keeps a neighbour from sending with this address */
		if (!env->trust_unready_nodes && !pod->local &&
		    !node_is_ready(m, pod->obj->pod.node, &last)) {
			what.cls = BH_CLASS_UNPROTECTED;
			what.tenant = BH_NO_TENANT;
		}
		say_all(s, pod->obj->pod.addrs, pod->obj->pod.n_addrs, what);
	}
}

static void say_nodes(const struct bh_model *m, const struct bh_env *env, struct sayings *s)
{
	const struct saying what = { .what = SAYS_NODE };
	size_t n;
	const struct bh_object *const *nodes = bh_model_objects(m, BH_KIND_NODE, &n);

	say_all(s, env->host_addrs, env->n_host_addrs, what);
	for (size_t i = 0; i < n; i++)
		say_all(s, nodes[i]->node.addrs, nodes[i]->node.n_addrs, what);
}

static void say_api_ports(const struct bh_endpoint_slice *slice, struct sayings *s)
{
	for (size_t i = 0; i < slice->n_ports; i++)
		if (slice->ports[i].proto == IPPROTO_TCP)
			say_all(s, slice->addrs, slice->n_addrs,
				(struct saying){ .what = SAYS_API_PORT,
						 .port = slice->ports[i].port });
}

/* A Service that only operators can write, its cluster addresses and what stands behind it. */
static void say_service(const struct bh_model *m, const char *ns, const char *name, bool is_dns,
			struct sayings *s)
{
	const struct bh_object_key key = { BH_KIND_SERVICE, (char *)ns, (char *)name };
	const struct bh_object *svc = bh_model_get(m, &key);
	const struct saying what = { .what = is_dns ? SAYS_DNS : SAYS_API_ANY };
	size_t n;
	const struct bh_object *const *slices = bh_model_objects(m, BH_KIND_ENDPOINTSLICE, &n);

	if (!svc || svc->service.synced)
		return;
	say_all(s, svc->service.cluster_ips, svc->service.n_cluster_ips, what);
	for (size_t i = 0; i < n; i++) {
		const struct bh_endpoint_slice *slice = &slices[i]->slice;

		if (slice->synced || !slice->service || strcmp(slice->service, name) != 0 ||
		    strcmp(slices[i]->key.ns, ns) != 0)
			continue;
		if (is_dns)
			say_all(s, slice->addrs, slice->n_addrs, what);
		else
			say_api_ports(slice, s);
	}
}

static int cmp_saying(const void *pa, const void *pb)
{
	const struct saying *a = pa, *b = pb;
	const int r = bh_addr_cmp(&a->addr, &b->addr);

	if (r)
		return r;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	return (int)a->port - (int)b->port;
}

/* Ports come sorted: the lowest two stay. */
static void add_api_port(struct bh_pic_addr *out, uint16_t port)
{
	if (!out->apiserver_ports[0])
		out->apiserver_ports[0] = port;
	else if (!out->apiserver_ports[1] && out->apiserver_ports[0] != port)
		out->apiserver_ports[1] = port;
}

/* All that was said about one address, as one entry. */
static struct bh_pic_addr merge(const struct bh_picture *p, const struct saying *v, size_t n)
{
	struct bh_pic_addr out = { .addr = v->addr,
				   .tenant = BH_NO_TENANT,
				   .owner_tenant = BH_NO_TENANT,
				   .service = BH_NO_SERVICE };
	const struct saying *pod = NULL;
	size_t n_pods = 0;
	bool node = false;

	for (size_t i = 0; i < n; i++) {
		switch (v[i].what) {
		case SAYS_NODE:
			node = true;
			break;
		case SAYS_POD:
			pod = &v[i];
			n_pods++;
			break;
		case SAYS_DNS:
			out.dns = true;
			break;
		case SAYS_API_ANY:
			out.apiserver_any = true;
			break;
		case SAYS_API_PORT:
			add_api_port(&out, v[i].port);
			break;
		}
	}
	if (node) {
		out.cls = BH_CLASS_NODE;
	} else if (n_pods > 1) {
		out.cls = BH_CLASS_CONFLICT;
	} else if (pod) {
		out.cls = pod->cls;
		out.tenant = pod->cls == BH_CLASS_TENANT ? pod->tenant : BH_NO_TENANT;
	} else {
		out.cls = bh_cidrs_classify(p, &out.addr);
	}
	return out;
}

static int merge_all(struct bh_picture *p, struct sayings *s)
{
	if (s->error)
		return s->error;
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), cmp_saying);
	p->addrs = calloc(s->n + 1, sizeof(*p->addrs));
	if (!p->addrs)
		return -ENOMEM;
	for (size_t i = 0, end; i < s->n; i = end) {
		for (end = i + 1; end < s->n; end++)
			if (bh_addr_cmp(&s->v[i].addr, &s->v[end].addr) != 0)
				break;
		p->addrs[p->n_addrs++] = merge(p, &s->v[i], end - i);
	}
	return 0;
}

int bh_derive_addrs(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p)
{
	struct sayings s = { 0 };
	int r;

	bh_special_index_init(&s.special);
	say_nodes(m, env, &s);
	say_pods(m, env, p, &s);
	say_all(&s, env->dns_servers, env->n_dns_servers, (struct saying){ .what = SAYS_DNS });
	say_service(m, DNS_NAMESPACE, DNS_SERVICE, true, &s);
	say_service(m, API_NAMESPACE, API_SERVICE, false, &s);
	r = merge_all(p, &s);
	free(s.v);
	return r;
}
