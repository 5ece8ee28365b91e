/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* snapshot_fixture - a snapshot with something in every field, hostile names among it. */

struct bh_snapshot;

struct bh_snapshot *snapshot_fixture(void); /* never NULL; free with bh_snapshot_free() */
