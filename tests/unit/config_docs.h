/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config_docs - docs/configuration.md as the option table has it. */

struct bh_buf;

void config_docs(struct bh_buf *b);
