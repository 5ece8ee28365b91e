/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * yaml_plain - what a scalar without quotes means. YAML 1.2's core schema decides; where kubectl's
 * reader (YAML 1.1 in parts) takes the same text for something else, the text is refused: nobody
 * may enforce another value than the writer saw accepted elsewhere. One exception, because every
 * other Pod has it: a file mode such as 0644 is octal, as kubectl reads it.
 */
#include <stdbool.h>

struct bh_err;
struct bh_json;

/* Would @s be anything but a string, or is it refused? Such a text is no key of a mapping. */
bool bh_yaml_plain_is_string(const char *s);
/* The value of @s. 0; -EINVAL with a reason; -ENOMEM. */
int bh_yaml_plain_value(const char *s, struct bh_json **ret_json, struct bh_err *err);
