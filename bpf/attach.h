/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* attach - the ways to hang programs on an interface's hooks. */

enum bh_attach {
	BH_ATTACH_AUTO,	  /* TCX where the kernel has it, else clsact */
	BH_ATTACH_TCX,	  /* links; Linux 6.6 and later */
	BH_ATTACH_CLSACT, /* classic filters on a clsact qdisc */
};

const char *bh_attach_name(enum bh_attach a); /* "auto", "tcx", "clsact" */
