/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int bh_err_set(struct bh_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	code = code > 0 ? -code : code;
	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int bh_err_wrap(struct bh_err *err, int code, const char *fmt, ...)
{
	char inner[BH_ERR_MSG_LEN];
	va_list ap;
	int n;

	code = code > 0 ? -code : code;
	if (!err)
		return code;
	if (!err->code)
		err->code = code;
	memcpy(inner, err->msg, sizeof(inner));
	inner[sizeof(inner) - 1] = '\0';
	va_start(ap, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->msg))
		(void)snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", inner);
	return err->code;
}
