#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian's cloud kernel of one release, from the package mirror that this machine already uses, with
# apt checking the signatures, and without touching the machine's apt configuration or packages.
# usage: fetch-kernel.sh RELEASE DIR    (bullseye 5.10, bookworm 6.1, trixie 6.12)
#   DIR then holds boot/vmlinuz-*, lib/modules/*; a finished DIR is left alone.
# Exit: 0; 77 with the reason on the last line of stderr if this machine cannot (no apt, no mirror).
set -euo pipefail
release=$1 dir=$(realpath -m "$2")

skip() {
	echo "$*" >&2
	exit 77
}

[ ! -e "$dir/done" ] || exit 0
for tool in apt-get apt-cache dpkg-deb depmod; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || skip "no $tool"
done
export PATH=$PATH:/usr/sbin:/sbin
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$key" ] || skip "no $key to check signatures with"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian/\?$') ||
	skip "apt has no Debian mirror configured"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
echo "deb [arch=amd64 signed-by=$key] $mirror $release main" >"$work/sources.list"
options=(-q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
	-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root
	-o Acquire::Retries=3 -o Acquire::Languages=none)

# A mirror that is being updated, or a lost connection, is worth a second try.
attempt() {
	local try
	for try in 1 2 3; do
		"$@" >>"$work/log" 2>&1 </dev/null && return
	done
	tail -n 5 "$work/log" >&2
	skip "$release: '$1 ... ${*: -1}' failed three times"
}
attempt apt-get "${options[@]}" -o APT::Update::Error-Mode=any update
image=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 |
	awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
[ -n "$image" ] || skip "$release has no linux-image-cloud-amd64"
cd "$work"
attempt apt-get "${options[@]}" download "$image"
dpkg-deb -x "$image"_*.deb "$work/root"
[ ! -d root/usr/lib/modules ] || { mkdir -p root/lib && mv root/usr/lib/modules root/lib/; }
version=$(ls root/lib/modules)
depmod -b "$work/root" "$version"
touch root/done
rm -rf "$dir"
mv root "$dir"
