/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

static void buf_take__appends_in_order__one_text(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	size_t len = 0;

	(void)state;
	bh_buf_add(&b, "a\0b", 3);
	bh_buf_str(&b, "|");
	bh_buf_printf(&b, "%s=%d", "n", 42);
	assert_int_equal(bh_buf_take(&b, &text, &len), 0);
	assert_int_equal(len, 8);
	assert_memory_equal(text, "a\0b|n=42", 9);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
}

static void buf_take__nothing_added__empty_text(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	size_t len = 9;

	(void)state;
	assert_int_equal(bh_buf_take(&b, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
}

static void buf_printf__longer_than_the_first_block__grows(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		bh_buf_printf(&b, "%0100d", i);
	bh_buf_printf(&b, "%09000d", 7);
	assert_int_equal(bh_buf_take(&b, &text, &len), 0);
	assert_int_equal(len, 109000);
	assert_int_equal(strlen(text), len);
	assert_memory_equal(text + 99 * 100 + 98, "99", 2);
	assert_int_equal(text[len - 1], '7');
}

static void buf_take__over_its_bound__e2big_and_usable_again(void **state)
{
	bh_autobuf b = { .max = 4 };
	char *const untouched = (char *)0x1;
	char *text = untouched;
	size_t len = 9;

	(void)state;
	bh_buf_str(&b, "1234");
	bh_buf_str(&b, "");
	assert_int_equal(b.error, 0);
	bh_buf_str(&b, "5");
	bh_buf_str(&b, "x"); /* broken stays broken */
	assert_int_equal(bh_buf_take(&b, &text, &len), -E2BIG);
	assert_ptr_equal(text, untouched);
	assert_int_equal(len, 9);

	bh_buf_printf(&b, "%d", 12345);
	assert_int_equal(b.error, -E2BIG);
	assert_int_equal(bh_buf_take(&b, &text, &len), -E2BIG);

	bh_buf_printf(&b, "%d", 6789);
	assert_int_equal(bh_buf_take(&b, &text, &len), 0);
	assert_string_equal(text, "6789");
	free(text);
}

static void buf_add__size_overflow__e2big(void **state)
{
	bh_autobuf b = { .max = SIZE_MAX };

	(void)state;
	bh_buf_str(&b, "x");
	bh_buf_add(&b, "y", SIZE_MAX - 1);
	assert_int_equal(b.error, -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_take__appends_in_order__one_text),
		cmocka_unit_test(buf_take__nothing_added__empty_text),
		cmocka_unit_test(buf_printf__longer_than_the_first_block__grows),
		cmocka_unit_test(buf_take__over_its_bound__e2big_and_usable_again),
		cmocka_unit_test(buf_add__size_overflow__e2big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
