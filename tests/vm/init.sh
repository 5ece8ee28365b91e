#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The guest's first process: mount, load the modules, run every program in /tests, switch off.
# On the second serial port, for each program: BEGIN name, its two outputs in base64, END name status.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
echo "+cpu +memory +io +pids +cpuset" >/sys/fs/cgroup/cgroup.subtree_control
for m in /modules/*.ko; do
	insmod "$m" || echo "insmod $m failed"
done
ip link set lo up

port=/dev/ttyS1
stty -F $port raw 115200
limit=$(sed -n 's/.*tests\.timeout=\([0-9]*\).*/\1/p' /proc/cmdline)
echo READY >$port
for t in /tests/*; do
	name=${t##*/}
	echo "BEGIN $name" >$port
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -s KILL "$limit" "$t" >/tmp/out 2>/tmp/err </dev/null
	status=$?
	for s in out err; do
		# a full disk of output must not take an hour of serial line
		tail -c 200000 /tmp/$s | base64 | sed "s/^/$s /" >$port
	done
	echo "END $name $status" >$port
done
sync
poweroff -f
