/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"

static size_t lower(const struct bh_datapath *dp, uint32_t ifindex)
{
	size_t i = 0;

	while (i < dp->n_left_alone && dp->left_alone[i].ifindex < ifindex)
		i++;
	return i;
}

static struct bh_left_alone *find(const struct bh_datapath *dp, uint32_t ifindex)
{
	const size_t i = lower(dp, ifindex);

	return i < dp->n_left_alone && dp->left_alone[i].ifindex == ifindex ? &dp->left_alone[i]
									    : NULL;
}

static int add(struct bh_datapath *dp, const struct bh_left_alone *one)
{
	const size_t i = lower(dp, one->ifindex);

	if (dp->n_left_alone == dp->cap_left_alone) {
		const size_t more = dp->cap_left_alone ? dp->cap_left_alone * 2 : 16;
		struct bh_left_alone *grown = reallocarray(dp->left_alone, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		dp->left_alone = grown;
		dp->cap_left_alone = more;
	}
	memmove(dp->left_alone + i + 1, dp->left_alone + i,
		(dp->n_left_alone - i) * sizeof(*dp->left_alone));
	dp->left_alone[i] = *one;
	dp->n_left_alone++;
	return 0;
}

int bh_left_read(struct bh_datapath *dp)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_left_alone);
	struct bh_left_alone one;
	uint32_t next;
	void *prev = NULL;

	dp->n_left_alone = 0;
	while (!bpf_map_get_next_key(fd, prev, &next)) {
		int r = 0;

		one = (struct bh_left_alone){ .ifindex = next };
		prev = &one.ifindex;
		if (!bpf_map_lookup_elem(fd, &next, &one.print))
			r = add(dp, &one);
		if (r < 0)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int note(struct bh_datapath *dp, const struct bh_if *f)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_left_alone);
	const struct bh_left_alone now = { .ifindex = f->ifindex, .print = f->print };
	struct bh_left_alone *old = find(dp, f->ifindex);

	if (old && !memcmp(old, &now, sizeof(now)))
		return 0;
	if (bpf_map_update_elem(fd, &now.ifindex, &now.print, BPF_ANY) < 0)
		return -errno;
	if (!old)
		return add(dp, &now);
	*old = now;
	return 0;
}

int bh_left_note(struct bh_datapath *dp, const struct bh_ifs *ifs)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_left_alone);
	int first = 0;

	for (size_t i = dp->n_left_alone; i-- > 0;) {
		const struct bh_if *f = bh_ifs_get(ifs, dp->left_alone[i].ifindex);

		if (f && f->state == BH_IF_LEFT_ALONE)
			continue;
		if (bpf_map_delete_elem(fd, &dp->left_alone[i].ifindex) < 0 && errno != ENOENT) {
			first = first ? first : -errno;
			continue;
		}
		memmove(dp->left_alone + i, dp->left_alone + i + 1,
			(dp->n_left_alone - i - 1) * sizeof(*dp->left_alone));
		dp->n_left_alone--;
	}
	for (size_t i = 0; i < ifs->n; i++) {
		const int r = ifs->v[i].state == BH_IF_LEFT_ALONE ? note(dp, &ifs->v[i]) : 0;

		first = first ? first : r;
	}
	return first;
}

int bh_datapath_left_alone(const struct bh_datapath *dp, struct bh_left_alone **ret_v,
			   size_t *ret_n)
{
	struct bh_left_alone *copy = calloc(dp->n_left_alone + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (dp->n_left_alone)
		memcpy(copy, dp->left_alone, dp->n_left_alone * sizeof(*copy));
	*ret_v = copy;
	*ret_n = dp->n_left_alone;
	return 0;
}
