/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dp_behind - a program as a CNI might have one, behind ours: it counts and swallows. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/bh_abi.h"

int dp_behind_map(void); /* its counters, by BH_DIR_*; a descriptor or negative errno */
/* On both hooks, as classic filters with a later priority than ours. 0 or negative errno. */
int dp_behind_attach(int map_fd, uint32_t ifindex);
/* The same by TCX, without a word about the order; the links are for the caller to close. */
int dp_behind_attach_tcx(int map_fd, uint32_t ifindex, int ret_links[static 2]);
/* Can this kernel hang programs by TCX? Tried on lo. */
bool dp_behind_has_tcx(int map_fd);
uint64_t dp_behind_count(int map_fd, uint8_t dir);

/* Ids of programs or maps that are pinned below @dir; a link counts as its program. */
size_t dp_pinned_ids(const char *dir, bool maps, uint32_t *ret_v, size_t cap);
bool dp_id_lives(uint32_t id, bool map);
