#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what is missing of scripts/packages.txt; on anything but Debian 12, say what is missing.
# usage: deps.sh [--check] [--build-only] [TOOLS_DIR]
#   --check       install nothing, report what is missing (exit 1 if anything)
#   --build-only  leave the test packages out
#   TOOLS_DIR     where `unpack` packages go, default build/tools (programs end in TOOLS_DIR/bin)
set -euo pipefail
cd "$(dirname "$0")/.."

check= build_only= tools=build/tools
for a in "$@"; do
	case $a in
	--check) check=1 ;;
	--build-only) build_only=1 ;;
	-*) echo "deps: unknown option '$a'" >&2; exit 2 ;;
	*) tools=$a ;;
	esac
done
list=scripts/packages.txt
tools=$(realpath -m "$tools")
python=${PYTHON:-/usr/bin/python3} # the one that packages install modules for

wanted() { # "kind package probe" per line
	awk -v only="$build_only" '!/^#/ && NF >= 4 && (only == "" || $1 == "build") {print $1, $2, $3}' "$list"
}

# Is it there, whoever installed it?
present() {
	local what=${1#*:}
	case $1 in
	cmd:*) PATH=$tools/bin:$PATH:/usr/sbin:/sbin command -v "$what" >/dev/null ;;
	pc:*) command -v pkg-config >/dev/null && pkg-config --exists "$what" ;;
	file:*) compgen -G "$what" >/dev/null ;;
	py:*) "$python" -c "import $what" 2>/dev/null ;;
	*) echo "deps: bad probe '$1' in $list" >&2; exit 2 ;;
	esac
}

debian12() {
	[ -r /etc/os-release ] && (. /etc/os-release && [ "${ID:-}/${VERSION_ID:-}" = debian/12 ])
}

report() {
	echo "deps: missing:" >&2
	printf '%s\n' "$@" | awk '{printf "  %-22s %-32s (Debian 12: %s)\n", $1, $3, $2}' >&2
}

missing=() packages=() unpack=()
while read -r kind package probe; do
	present "$probe" && continue
	missing+=("$kind $package $probe")
	if [ "$kind" = unpack ]; then unpack+=("$package"); else packages+=("$package"); fi
done < <(wanted)

if [ ${#missing[@]} -eq 0 ]; then
	echo "deps: everything is there"
	exit 0
fi
if [ -n "$check" ]; then
	report "${missing[@]}"
	exit 1
fi
if ! debian12; then
	report "${missing[@]}"
	echo "deps: this is not Debian 12: install the above with your own package manager" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	report "${missing[@]}"
	echo "deps: installing needs root: sudo make deps" >&2
	exit 1
fi

mkdir -p "$tools"
log=$tools/deps.log
: >"$log"
quietly() { # WHAT COMMAND...
	local what=$1
	shift
	printf '\n$ %s\n' "$*" >>"$log"
	"$@" >>"$log" 2>&1 </dev/null && return
	tail -n 15 "$log" >&2
	echo "deps: $what failed; all of its output is in $log" >&2
	exit 1
}
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)

quietly "apt-get update" "${apt[@]}" update
if [ ${#packages[@]} -gt 0 ]; then
	echo "deps: installing ${packages[*]}"
	quietly "installing ${packages[*]}" "${apt[@]}" install -y --no-install-recommends "${packages[@]}"
fi
for p in "${unpack[@]}"; do
	echo "deps: unpacking the programs of $p to $tools/bin"
	dir=$(mktemp -d "$tools/unpack.XXXXXX")
	trap 'rm -rf "$dir"' EXIT
	(cd "$dir" && quietly "downloading $p" "${apt[@]}" download -o APT::Sandbox::User=root "$p")
	quietly "unpacking $p" dpkg-deb -x "$dir/$p"_*.deb "$dir/root"
	mkdir -p "$tools/bin"
	cp "$dir"/root/usr/bin/* "$tools/bin/"
	rm -rf "$dir"
done

still=()
for m in "${missing[@]}"; do
	present "${m##* }" || still+=("$m")
done
if [ ${#still[@]} -gt 0 ]; then
	report "${still[@]}"
	echo "deps: installed, yet not found; see $log" >&2
	exit 1
fi
echo "deps: installed ${#missing[@]} packages"
