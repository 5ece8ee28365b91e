/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BH_LOG_COMP "test"
#include "agent/sources/dir.h"
#include "agent/sources/dir_list.h"
#include "common/err.h"
#include "common/log.h"
#include "tests/unit/dir_world.h"

#define EVENT_MS 10000

static void check_problems(const struct world *w, const char *want)
{
	bh_autofree char *got = world_problems(w);

	assert_string_equal(got, want);
}

static void scan__yaml_json_lists__every_object(void **state)
{
	struct world *w = *state;
	char a[256], b[256], both[512];

	(void)snprintf(both, sizeof(both), "%s%s", world_ns(a, "n1", "1"), world_ns(b, "n2", "2"));
	world_write(w, "a.yaml", both);
	world_write(w, "b.yml", world_ns(a, "n3", "3"));
	world_write(w, "c.json",
		    "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":["
		    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
		    "\"n4\",\"labels\":{\"v\":\"4\"}}},"
		    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}]}");
	world_write(w, "d.yaml",
		    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: "
		    "Namespace\n  metadata: {name: n5, labels: {v: '5'}}\n");
	world_write(w, "e.yaml", "apiVersion: v1\nkind: List\nitems: null\n");
	world_scan(w);
	assert_int_equal(w->n_objects, 5);
	assert_string_equal(world_get(w, "n1"), "1");
	assert_string_equal(world_get(w, "n2"), "2");
	assert_string_equal(world_get(w, "n3"), "3");
	assert_string_equal(world_get(w, "n4"), "4");
	assert_string_equal(world_get(w, "n5"), "5");
	assert_int_equal(bh_dir_n_files(w->dir), 5);
	assert_true(bh_dir_readable(w->dir));
	check_problems(w, "");
}

static void scan__other_names_and_kinds__ignored(void **state)
{
	static const char *const names[] = { ".hidden.yaml", ".#a.yaml",   "#a.yaml#", "#a.yaml",
					     "a.yaml~",	     "a.yaml.swp", "4913",     "a.yaml.bak",
					     "README.md",    ".yaml",	   "yaml" };
	struct world *w = *state;
	char text[256], sub[160];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		world_write(w, names[i], world_ns(text, "never", "1"));
	(void)snprintf(sub, sizeof(sub), "%s/sub", w->path);
	assert_int_equal(mkdir(sub, 0700), 0);
	world_write(w, "sub/x.yaml", world_ns(text, "never", "1"));
	world_write(w, "other.yaml",
		    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n");
	world_scan(w);
	assert_int_equal(w->puts, 0);
	assert_int_equal(bh_dir_n_files(w->dir), 1);
	check_problems(w, "");
}

static void scan__unchanged_file__not_read_again(void **state)
{
	struct world *w = *state;
	char text[256];
	unsigned int puts;

	world_write(w, "a.yaml", world_ns(text, "a", "1"));
	world_scan(w);
	puts = w->puts;
	world_write(w, "b.yaml", world_ns(text, "b", "1"));
	assert_int_equal(bh_dir_scan(w->dir, NULL), 1);
	assert_int_equal(w->puts, puts + 1);
}

/* Same inode, same size, and before Linux 6.13 the same time: it must be noticed all the same. */
static void scan__changed_within_one_tick__noticed(void **state)
{
	struct world *w = *state;
	char text[256];

	world_write(w, "a.yaml", world_ns(text, "a", "1"));
	assert_int_equal(bh_dir_scan(w->dir, NULL), 1);
	world_write(w, "a.yaml", world_ns(text, "a", "2"));
	world_scan(w);
	assert_string_equal(world_get(w, "a"), "2");
}

static void scan__bad_document__last_good_version_stays_and_the_rest_goes_on(void **state)
{
	struct world *w = *state;

	world_write(w, "t.yaml",
		    "apiVersion: bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n"
		    "spec: {namespaces: [acme]}\n---\napiVersion: v1\nkind: Namespace\n"
		    "metadata: {name: ns, labels: {v: '1'}}\n");
	world_scan(w);
	assert_int_equal(w->n_objects, 2);
	world_write(w, "t.yaml",
		    "apiVersion: bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n"
		    "spec: {namespaces: [acme], cpu: {weight: 0}}\n---\napiVersion: v1\n"
		    "kind: Namespace\nmetadata: {name: ns, labels: {v: '2'}}\n");
	world_scan(w);
	assert_int_equal(w->n_objects, 2);
	assert_int_equal(w->dels, 0);
	assert_string_equal(world_get(w, "ns"), "2");
	{
		bh_autofree char *p = world_problems(w);

		assert_memory_equal(p, "t.yaml/1 Tenant acme: spec.cpu.weight: ", 39);
		assert_non_null(strstr(p, "; the last good version stays in force\n"));
	}
	world_write(w, "t.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n");
	world_scan(w);
	assert_int_equal(w->n_objects, 1);
	check_problems(w, "");
}

static void scan__syntax_error__objects_kept_until_the_file_is_good(void **state)
{
	struct world *w = *state;
	char a[256], b[256], text[600];

	(void)snprintf(text, sizeof(text), "%s%s", world_ns(a, "n1", "1"), world_ns(b, "n2", "1"));
	world_write(w, "a.yaml", text);
	world_scan(w);
	(void)snprintf(text, sizeof(text), "%s---\nkind: [\n", world_ns(a, "n1", "2"));
	world_write(w, "a.yaml", text);
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "2");
	assert_string_equal(world_get(w, "n2"), "1");
	check_problems(
		w, "a.yaml/2 : line 9: did not find expected node content (while parsing a flow "
		   "node that began in line 9)\n");
	world_write(w, "a.yaml", world_ns(a, "n1", "3"));
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "3");
	assert_null(world_get(w, "n2"));
	check_problems(w, "");
}

static void scan__document_without_identity__objects_kept(void **state)
{
	struct world *w = *state;
	char a[256];

	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	world_write(w, "a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {}\n");
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	{
		bh_autofree char *p = world_problems(w);

		assert_memory_equal(p, "a.yaml/1 : metadata.name", 24);
	}
	world_write(w, "a.yaml",
		    "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List}]\n");
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/1 : items[0]: kind: a List inside of a List\n");
	world_write(w, "a.yaml", "apiVersion: v1\nkind: List\nitems: {}\n");
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/1 : items: expected an array\n");
}

static void scan__hostile_text__refused_and_nothing_lost(void **state)
{
	static const char *const texts[] = {
		"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", /* alias bomb */
		"apiVersion: v1\nkind: Namespace\nkind: Namespace\nmetadata: {name: ns}\n",
		"\xff\xfe\x00",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: \"a\\0b\"}\n",
	};
	struct world *w = *state;
	char a[256];

	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct bh_dir_problem *v;
		size_t n;

		world_write(w, "a.yaml", texts[i]);
		world_scan(w);
		assert_string_equal(world_get(w, "n1"), "1");
		assert_int_equal(bh_dir_problems(w->dir, &v, &n), 1);
		assert_memory_equal(v[0].message, "line ", 5);
	}
}

static void scan__file_gone__its_objects_go(void **state)
{
	struct world *w = *state;
	char a[256];

	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	world_write(w, "b.yaml", world_ns(a, "n2", "1"));
	world_scan(w);
	world_remove(w, "a.yaml");
	assert_int_equal(bh_dir_scan(w->dir, NULL), 1);
	assert_null(world_get(w, "n1"));
	assert_string_equal(world_get(w, "n2"), "1");
	assert_int_equal(w->dels, 1);
}

static void scan__file_renamed__objects_never_deleted(void **state)
{
	struct world *w = *state;
	char a[256], from[160], to[160];

	world_write(w, "b.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	(void)snprintf(from, sizeof(from), "%s/b.yaml", w->path);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(to, sizeof(to), "%s/%s", w->path, i ? "z.yaml" : "a.yaml");
		assert_int_equal(rename(from, to), 0);
		world_scan(w);
		assert_string_equal(world_get(w, "n1"), "1");
		assert_int_equal(w->dels, 0);
		(void)snprintf(from, sizeof(from), "%s", to);
	}
}

static void make_sparse(const struct world *w, const char *name, off_t size)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	(void)close(fd);
}

static void scan__file_that_cannot_be_read__objects_kept(void **state)
{
	struct world *w = *state;
	char a[256], path[160];

	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	make_sparse(w, "a.yaml", 100 << 20);
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/0 : larger than 8 MiB\n");
	world_remove(w, "a.yaml");
	(void)snprintf(path, sizeof(path), "%s/a.yaml", w->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/0 : no regular file\n");
	world_remove(w, "a.yaml");
	assert_int_equal(symlink("nowhere", path), 0);
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/0 : a link that leads nowhere\n");
	world_remove(w, "a.yaml");
	assert_int_equal(symlink("/dev/zero", path), 0);
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "a.yaml/0 : no regular file\n");
	world_replace(w, "a.yaml", world_ns(a, "n1", "2"));
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "2");
	check_problems(w, "");
}

static void scan__folder_larger_than_64_mib__last_files_refused(void **state)
{
	struct world *w = *state;
	char a[256], name[32];

	world_write(w, "z.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "f%d.yaml", i);
		make_sparse(w, name, 8 << 20);
	}
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	{
		bh_autofree char *p = world_problems(w);

		assert_non_null(strstr(p,
				       "z.yaml/0 : the files of the folder are larger than 64 MiB "
				       "together\n"));
	}
}

static void scan__too_many_files__the_last_by_name_refused(void **state)
{
	struct world *w = *state;
	char a[256], name[32];

	world_write(w, "z.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	for (int i = 0; i < BH_DIR_MAX_FILES; i++) {
		(void)snprintf(name, sizeof(name), "f%05d.yaml", i);
		make_sparse(w, name, 0);
	}
	world_scan(w);
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "/0 : more than 10000 files; those behind 'f09999.yaml' are not read\n"
			  "z.yaml/0 : more than 10000 files in the folder\n");
	world_remove(w, "f00000.yaml");
	world_remove(w, "f00001.yaml");
	world_scan(w);
	check_problems(w, "");
	assert_int_equal(bh_dir_n_files(w->dir), BH_DIR_MAX_FILES - 1);
}

static void scan__same_object_in_two_files__first_name_wins_whatever_the_order(void **state)
{
	static const char *const orders[] = { "abc", "acb", "bac", "bca", "cab", "cba" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		for (const char *o = orders[i]; *o; o++) {
			char text[256], name[16], v[2] = { *o, '\0' };

			(void)snprintf(name, sizeof(name), "%c.yaml", *o);
			world_write(w, name, world_ns(text, "ns", v));
			world_scan(w);
		}
		assert_string_equal(world_get(w, "ns"), "a");
		check_problems(w,
			       "b.yaml/1 Namespace ns: not used: a.yaml has this object as well\n"
			       "c.yaml/1 Namespace ns: not used: a.yaml has this object as well\n");
		world_remove(w, "a.yaml");
		world_scan(w);
		assert_string_equal(world_get(w, "ns"), "b");
		check_problems(w,
			       "c.yaml/1 Namespace ns: not used: b.yaml has this object as well\n");
		world_remove(w, "b.yaml");
		world_scan(w);
		assert_string_equal(world_get(w, "ns"), "c");
		assert_int_equal(w->dels, i);
		world_remove(w, "c.yaml");
		world_scan(w);
		assert_int_equal(w->n_objects, 0);
		check_problems(w, "");
	}
}

static void scan__first_file_never_good__does_not_keep_others_out(void **state)
{
	static const char bad[] = "apiVersion: bulkhead.dev/v1alpha1\nkind: Tenant\n"
				  "metadata: {name: t}\nspec: {nonsense: 1}\n";
	static const char good[] = "apiVersion: bulkhead.dev/v1alpha1\nkind: Tenant\n"
				   "metadata: {name: t}\nspec: {namespaces: [t]}\n";
	struct world *w = *state;
	const struct bh_dir_problem *v;
	size_t n;

	world_write(w, "a.yaml", bad);
	world_write(w, "b.yaml", good);
	world_scan(w);
	assert_int_equal(w->n_objects, 1);
	assert_int_equal(bh_dir_problems(w->dir, &v, &n), 1);
	assert_string_equal(v[0].file, "a.yaml");
	/* good once: it wins, and goes on winning with its last good version */
	world_write(w, "a.yaml", good);
	world_scan(w);
	world_write(w, "a.yaml", bad);
	world_scan(w);
	assert_int_equal(bh_dir_problems(w->dir, &v, &n), 2);
	assert_string_equal(v[1].message, "not used: a.yaml has this object as well");
	world_remove(w, "a.yaml");
	world_scan(w);
	assert_int_equal(w->n_objects, 1);
	assert_int_equal(w->dels, 0);
	assert_int_equal(bh_dir_problems(w->dir, &v, &n), 0);
}

static void scan__same_object_twice_in_a_file__first_one_counts(void **state)
{
	struct world *w = *state;
	char a[256], b[256], text[512];

	(void)snprintf(text, sizeof(text), "%s%s", world_ns(a, "ns", "1"), world_ns(b, "ns", "2"));
	world_write(w, "a.yaml", text);
	world_scan(w);
	assert_string_equal(world_get(w, "ns"), "1");
	check_problems(w, "a.yaml/2 Namespace ns: not used: document 1 has this object as well\n");
}

static void scan__more_problems_than_are_kept__all_counted(void **state)
{
	struct world *w = *state;
	const struct bh_dir_problem *v;
	char text[6 * 400 + 1];
	size_t n;

	for (size_t i = 0; i < 400; i++)
		memcpy(text + 6 * i, "---\n@\n", 6);
	text[sizeof(text) - 1] = '\0';
	world_write(w, "a.yaml", text);
	world_scan(w);
	assert_int_equal(bh_dir_problems(w->dir, &v, &n), 400);
	assert_int_equal(n, BH_DIR_MAX_PROBLEMS);
	assert_int_equal(v[n - 1].doc, BH_DIR_MAX_PROBLEMS);
	world_write(w, "a.yaml", "# nothing\n");
	world_scan(w);
	assert_int_equal(bh_dir_problems(w->dir, &v, &n), 0);
}

static void is_manifest__names(void **state)
{
	(void)state;
	assert_true(bh_dir_is_manifest("a.yaml"));
	assert_true(bh_dir_is_manifest("a.b.yml"));
	assert_true(bh_dir_is_manifest("4913.json"));
	assert_false(bh_dir_is_manifest("a.YAML"));
	assert_false(bh_dir_is_manifest("..data"));
	assert_false(bh_dir_is_manifest(""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scan__yaml_json_lists__every_object),
		TEST(scan__other_names_and_kinds__ignored),
		TEST(scan__unchanged_file__not_read_again),
		TEST(scan__changed_within_one_tick__noticed),
		TEST(scan__bad_document__last_good_version_stays_and_the_rest_goes_on),
		TEST(scan__syntax_error__objects_kept_until_the_file_is_good),
		TEST(scan__document_without_identity__objects_kept),
		TEST(scan__hostile_text__refused_and_nothing_lost),
		TEST(scan__file_gone__its_objects_go),
		TEST(scan__file_renamed__objects_never_deleted),
		TEST(scan__file_that_cannot_be_read__objects_kept),
		TEST(scan__folder_larger_than_64_mib__last_files_refused),
		TEST(scan__too_many_files__the_last_by_name_refused),
		TEST(scan__same_object_in_two_files__first_name_wins_whatever_the_order),
		TEST(scan__first_file_never_good__does_not_keep_others_out),
		TEST(scan__same_object_twice_in_a_file__first_one_counts),
		TEST(scan__more_problems_than_are_kept__all_counted),
		cmocka_unit_test(is_manifest__names),
	};

	bh_log_set_level(BH_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
