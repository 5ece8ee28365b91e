/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bpf/datapath_priv.h"
#include "common/err.h"

#define MOUNT_SOURCE "bulkhead" /* by this name --detach knows that the mount is ours */

void bh_pin_link_path(const char *dir, uint32_t ifindex, uint8_t dir_of, char *buf, size_t cap)
{
	(void)snprintf(buf, cap, "%s/links/%u-%s", dir, ifindex,
		       dir_of == BH_DIR_EGRESS ? "from" : "to");
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* A mount made in a namespace of our own would vanish with us, and all enforcement with it. */
static bool in_host_mount_ns(void)
{
	struct stat self, init;

	return !stat("/proc/self/ns/mnt", &self) && !stat("/proc/1/ns/mnt", &init) &&
	       self.st_ino == init.st_ino && self.st_dev == init.st_dev;
}

static int make_dir(const char *path, struct bh_err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return bh_err_set(err, errno, "cannot create '%s': %s", path, strerror(errno));
	return 0;
}

static int make_parents(const char *path, struct bh_err *err)
{
	bh_autofree char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return bh_err_set(err, errno, "cannot create '%s': %s", copy,
					  strerror(errno));
		*p = '/';
	}
	return make_dir(path, err);
}

int bh_datapath_prepare(const char *bpffs, struct bh_err *err)
{
	int r;

	if (mkdir(bpffs, 0700) < 0 && errno != EEXIST) {
		r = make_parents(bpffs, err);
		if (r < 0)
			return r;
	}
	if (is_bpffs(bpffs))
		return 0;
	if (!in_host_mount_ns())
		return bh_err_set(
			err, ENODEV,
			"'%s' is not on a BPF filesystem, and one mounted here would end with "
			"this process's mount namespace; mount one on the host: mount -t bpf "
			"bpf %s",
			bpffs, bpffs);
	if (mount(MOUNT_SOURCE, bpffs, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return bh_err_set(err, errno, "cannot mount a BPF filesystem on '%s': %s", bpffs,
				  strerror(errno));
	return 0;
}

int bh_pins_prepare(const char *bpffs, char **ret_dir, struct bh_err *err)
{
	static const char *const sub[] = { "maps", "links" };
	bh_autofree char *dir = NULL;
	int r;

	r = bh_datapath_prepare(bpffs, err);
	if (r < 0)
		return r;
	if (asprintf(&dir, "%s/v%d", bpffs, BH_ABI_VERSION) < 0)
		return -ENOMEM;
	r = make_dir(dir, err);
	for (size_t i = 0; i < sizeof(sub) / sizeof(sub[0]) && r >= 0; i++) {
		bh_autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, sub[i]) < 0)
			return -ENOMEM;
		r = make_dir(path, err);
	}
	if (r < 0)
		return r;
	*ret_dir = BH_TAKE_PTR(dir);
	return 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int bh_pins_list(const char *dir, uint32_t **ret_v, size_t *ret_n)
{
	__attribute__((__cleanup__(closedirp))) DIR *d = NULL;
	bh_autofree uint32_t *v = NULL;
	bh_autofree char *path = NULL;
	size_t n = 0, cap = 0;
	struct dirent *de;

	if (asprintf(&path, "%s/links", dir) < 0)
		return -ENOMEM;
	d = opendir(path);
	while (d && (de = readdir(d))) {
		char *end;
		const unsigned long x = strtoul(de->d_name, &end, 10);

		if (end == de->d_name || *end != '-' || !x || x > INT32_MAX)
			continue;
		if (bh_u32set_add(&v, &n, &cap, (uint32_t)x) < 0)
			return -ENOMEM;
	}
	*ret_v = BH_TAKE_PTR(v);
	*ret_n = n;
	return 0;
}

/* Depth first; @depth bounds what a strange tree could do to us. */
static int remove_below(int parent, const char *name, int depth)
{
	__attribute__((__cleanup__(closedirp))) DIR *d = NULL;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (!unlinkat(fd, de->d_name, 0) || errno == ENOENT)
			continue;
		if (errno == EISDIR || errno == EPERM)
			r = depth > 0 ? remove_below(fd, de->d_name, depth - 1) : -ELOOP;
		else
			r = -errno;
		if (r < 0)
			return r;
	}
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int bh_pins_versions(const char *bpffs, struct bh_version_dir *v, size_t cap)
{
	__attribute__((__cleanup__(closedirp))) DIR *d = opendir(bpffs);
	struct dirent *de;
	size_t n = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	/* only folders that are named as ours: the folder given may be somebody's whole bpffs */
	while ((de = readdir(d)) && n < cap) {
		unsigned long abi;
		char *end;

		if (de->d_name[0] != 'v' || de->d_name[1] < '1' || de->d_name[1] > '9')
			continue;
		abi = strtoul(de->d_name + 1, &end, 10);
		if (abi > INT32_MAX || (*end && strcmp(end, BH_PINS_ASIDE) != 0))
			continue;
		if (strlen(de->d_name) >= sizeof(v[n].name))
			continue;
		v[n].abi = (uint32_t)abi;
		memcpy(v[n].name, de->d_name, strlen(de->d_name) + 1);
		n++;
	}
	return (int)n;
}

int bh_pins_remove(const char *dir, struct bh_err *err)
{
	const int r = remove_below(AT_FDCWD, dir, 3);

	return r < 0 ? bh_err_set(err, r, "cannot remove '%s': %s", dir, strerror(-r)) : 0;
}

static bool mounted_by_us(const char *bpffs)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool ours = false;

	while (f && (m = getmntent(f))) {
		if (!strcmp(m->mnt_dir, bpffs))
			ours = !strcmp(m->mnt_fsname, MOUNT_SOURCE) && !strcmp(m->mnt_type, "bpf");
	}
	if (f)
		(void)endmntent(f);
	return ours;
}

int bh_pins_remove_all(const char *bpffs, struct bh_err *err)
{
	struct bh_version_dir v[BH_OLDS_MAX];
	struct stat st;
	int n, r = 0;

	if (stat(bpffs, &st) < 0)
		return errno == ENOENT ? 0 : bh_err_set(err, errno, "cannot read '%s'", bpffs);
	if (!is_bpffs(bpffs))
		return 0;
	n = bh_pins_versions(bpffs, v, BH_OLDS_MAX);
	for (int i = 0; i < n && r >= 0; i++) {
		bh_autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", bpffs, v[i].name) < 0)
			return -ENOMEM;
		r = bh_pins_remove(path, err);
	}
	if (n < 0 || r < 0)
		return n < 0 ? bh_err_set(err, n, "cannot list '%s'", bpffs) : r;
	if (mounted_by_us(bpffs) && umount2(bpffs, MNT_DETACH) < 0)
		return bh_err_set(err, errno, "cannot unmount '%s': %s", bpffs, strerror(errno));
	(void)rmdir(bpffs); /* not empty: somebody else's */
	return 0;
}
