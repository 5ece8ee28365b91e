/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * service_grants - what tenants are granted towards Services, as entries of the maps SERVICES and
 * PORTSETS.
 */
struct bh_ids;
struct bh_picture;
struct bh_policy;

/*
 * Adds unsorted rows to @p: the Service's own addresses for the tenant's pods; and, since an
 * unassigned pod accepts no tenant by default, the unassigned pods behind it, with exactly the
 * ports to which the Service's granted ports lead. A grant towards a Service that is not there,
 * that a tenant writes, whose backends are not all system pods, all unassigned pods or all nodes,
 * or that has no address, is without effect and a problem in @p. 0 or -ENOMEM.
 */
int bh_service_grants_compile(struct bh_policy *p, const struct bh_picture *pic,
			      const struct bh_ids *ids);
