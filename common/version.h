/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* version - which build this is. The only object that changes with every commit. */

const char *bh_version(void); /* as `git describe` has it; "unknown" outside a repository */
