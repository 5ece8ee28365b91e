/* SPDX-License-Identifier: Apache-2.0 */
#include "common/version.h"

const char *bh_version(void)
{
	return BH_VERSION;
}
