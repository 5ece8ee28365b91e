#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# End what KEEP=1 make demo left running: the one process that it named, which takes all with it.
set -eu
file=/run/bulkhead-demo.pid
if [ ! -f "$file" ]; then
	echo "demo-stop: nothing is running"
	exit 0
fi
pid=$(cat "$file")
if grep -qs demo.py "/proc/$pid/cmdline"; then
	kill "$pid"
	for _ in $(seq 100); do
		[ -d "/proc/$pid" ] || break
		sleep 0.1
	done
fi
rm -f "$file"
