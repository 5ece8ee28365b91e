/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/bind_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/model_help.h"

static uint32_t route_of(const void *routes, const struct bh_addr *a)
{
	const struct bind_world *w = routes;

	for (size_t i = 0; i < w->n_routes; i++) {
		if (bh_addr_cmp(&w->routes[i].addr, a) == 0)
			return w->routes[i].ifindex;
	}
	return 0;
}

void bind_open(struct bind_world *w, const char *yaml)
{
	static const char *const system_namespaces[] = { "kube-system" };
	const struct bh_env env = { .node = "n1",
				    .system_namespaces = system_namespaces,
				    .n_system_namespaces = 1 };

	*w = (struct bind_world){ .m = bh_test_model() };
	bh_test_put(w->m, yaml);
	w->pic = bh_test_derive(w->m, &env);
	w->in = (struct bh_bind_input){
		.pic = w->pic, .links = w->links, .route = route_of, .routes = w, .bound = w->bound
	};
}

void bind_close(struct bind_world *w)
{
	bh_ifs_done(&w->ifs);
	bh_picture_free(w->pic);
	bh_model_free(w->m);
}

static struct bh_mac mac_of(const char *text)
{
	struct bh_mac m;

	assert_int_equal(bh_mac_parse(text, &m), 0);
	return m;
}

void bind_veth(struct bind_world *w, uint32_t ifindex, const char *mac, const char *a,
	       const char *b)
{
	struct bh_link *l = &w->links[w->in.n_links++];
	const char *const addrs[] = { a, b };

	assert_true(w->in.n_links <= BIND_MAX);
	*l = (struct bh_link){
		.ifindex = ifindex, .veth = true, .up = true, .nsid = (int32_t)ifindex
	};
	(void)snprintf(l->name, sizeof(l->name), "veth%u", ifindex);
	l->peer_known = mac != NULL;
	if (mac)
		l->peer_mac = mac_of(mac);
	for (size_t i = 0; i < 2; i++) {
		if (addrs[i])
			l->peer_addrs[l->n_peer_addrs++] = bh_test_addr(addrs[i]);
	}
}

void bind_route(struct bind_world *w, const char *addr, uint32_t ifindex)
{
	assert_true(w->n_routes < BIND_MAX);
	w->routes[w->n_routes].addr = bh_test_addr(addr);
	w->routes[w->n_routes++].ifindex = ifindex;
}

void bind_had(struct bind_world *w, uint32_t ifindex, const char *mac, const char *addr)
{
	struct bh_bound *b = &w->bound[w->in.n_bound++];
	const struct bh_addr a = bh_test_addr(addr);
	const struct bh_mac m = mac_of(mac);

	assert_true(w->in.n_bound <= BIND_MAX);
	*b = (struct bh_bound){ .ifindex = ifindex };
	memcpy(b->ep.mac, m.b, 6);
	b->ep.flags = bh_addr_is_v4(&a) ? BH_EP_HAS_V4 : BH_EP_HAS_V6;
	if (bh_addr_is_v4(&a))
		memcpy(b->ep.ip4, a.b + 12, 4);
	else
		memcpy(b->ep.ip6, a.b, 16);
}

void bind_run(struct bind_world *w)
{
	bh_ifs_done(&w->ifs);
	assert_int_equal(bh_bind(&w->in, &w->ifs), 0);
	for (size_t i = 1; i < w->ifs.n; i++)
		assert_true(w->ifs.v[i].ifindex > w->ifs.v[i - 1].ifindex);
}

const char *bind_is(const struct bind_world *w, uint32_t ifindex)
{
	const struct bh_if *f = bh_ifs_get(&w->ifs, ifindex);
	static char text[256];

	if (!f)
		return "not listed";
	if (!f->pod) {
		(void)snprintf(text, sizeof(text), "%s", bh_if_state_name(f->state));
		return text;
	}
	(void)snprintf(text, sizeof(text), "%s %s/%s%s", bh_if_state_name(f->state),
		       f->pod->obj->key.ns, f->pod->obj->key.name, f->shared ? " shared" : "");
	return text;
}
