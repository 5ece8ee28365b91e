/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "model/derive.h"
#include "model/special.h"

static int cmp_prefix(const void *a, const void *b)
{
	return bh_prefix_cmp(a, b);
}

static int cmp_cidr(const void *a, const void *b)
{
	return bh_prefix_cmp(&((const struct bh_pic_cidr *)a)->prefix,
			     &((const struct bh_pic_cidr *)b)->prefix);
}

static int cluster_cidrs(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p)
{
	size_t n_nodes, n = env->n_cluster_cidrs, unique = 0;
	const struct bh_object *const *nodes = bh_model_objects(m, BH_KIND_NODE, &n_nodes);

	if (n)
		n_nodes = 0; /* configured ones are all there are */
	for (size_t i = 0; i < n_nodes; i++)
		n += nodes[i]->node.n_pod_cidrs;
	p->cluster_cidrs = calloc(n + 1, sizeof(*p->cluster_cidrs));
	if (!p->cluster_cidrs)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < env->n_cluster_cidrs; i++)
		p->cluster_cidrs[n++] = env->cluster_cidrs[i];
	for (size_t i = 0; i < n_nodes; i++)
		for (size_t j = 0; j < nodes[i]->node.n_pod_cidrs; j++)
			p->cluster_cidrs[n++] = nodes[i]->node.pod_cidrs[j];
	qsort(p->cluster_cidrs, n, sizeof(*p->cluster_cidrs), cmp_prefix);
	for (size_t i = 0; i < n; i++)
		if (!unique ||
		    bh_prefix_cmp(&p->cluster_cidrs[unique - 1], &p->cluster_cidrs[i]) != 0)
			p->cluster_cidrs[unique++] = p->cluster_cidrs[i];
	p->n_cluster_cidrs = unique;
	return 0;
}

/* What stays special although it lies inside of the cluster. */
static bool outranks_cluster(enum bh_class cls)
{
	return cls == BH_CLASS_METADATA || cls == BH_CLASS_INVALID;
}

static bool hidden_by_cluster(const struct bh_picture *p, const struct bh_special *row)
{
	for (size_t i = 0; i < p->n_cluster_cidrs; i++) {
		if (bh_prefix_cmp(&p->cluster_cidrs[i], &row->prefix) == 0)
			return true;
		if (!outranks_cluster(row->cls) &&
		    bh_prefix_covers(&p->cluster_cidrs[i], &row->prefix))
			return true;
	}
	return false;
}

int bh_derive_cidrs(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p)
{
	size_t n_rows;
	const struct bh_special *rows = bh_special_rows(&n_rows);
	const int r = cluster_cidrs(m, env, p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < env->n_nat64 && i < BH_NAT64_MAX; i++)
		p->nat64[p->n_nat64++] = env->nat64[i];
	p->cidrs = calloc(n_rows + p->n_cluster_cidrs, sizeof(*p->cidrs));
	if (!p->cidrs)
		return -ENOMEM;
	for (size_t i = 0; i < n_rows; i++)
		if (!hidden_by_cluster(p, &rows[i]))
			p->cidrs[p->n_cidrs++] =
				(struct bh_pic_cidr){ rows[i].prefix, rows[i].cls };
	for (size_t i = 0; i < p->n_cluster_cidrs; i++)
		p->cidrs[p->n_cidrs++] =
			(struct bh_pic_cidr){ p->cluster_cidrs[i], BH_CLASS_UNKNOWN };
	qsort(p->cidrs, p->n_cidrs, sizeof(*p->cidrs), cmp_cidr);
	return 0;
}

enum bh_class bh_cidrs_classify(const struct bh_picture *p, const struct bh_addr *a)
{
	const struct bh_pic_cidr *best = NULL;

	for (size_t i = 0; i < p->n_cidrs; i++)
		if (bh_prefix_contains(&p->cidrs[i].prefix, a) &&
		    (!best || p->cidrs[i].prefix.len > best->prefix.len))
			best = &p->cidrs[i];
	return best ? best->cls : BH_CLASS_WORLD_PUBLIC;
}
