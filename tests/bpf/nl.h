/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* nl - the few changes to interfaces that tests need, by rtnetlink: a VM has no ip(8). */
#include <stdint.h>

/*
 * A pair of veths, both up: @name here, @peer in the namespace of the descriptor @peer_netns (-1:
 * here too). All return 0 or negative errno.
 */
int nl_add_veth(const char *name, const char *peer, int peer_netns);
int nl_set_up(const char *name);
int nl_delete(const char *name);

/* A new network namespace as a descriptor; this process stays where it is. Or negative errno. */
int nl_new_netns(void);
