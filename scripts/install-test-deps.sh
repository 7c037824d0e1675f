#!/bin/sh
# Installs what the tests need beside Go, where it is missing: PostgreSQL, MariaDB,
# a browser, compilers of C++ and protobuf, Node with the packages of the plugin in
# TypeScript. Debian and its relatives only; elsewhere install them by hand. Needs
# root or sudo, and only if something is missing.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'test-deps: %s\n' "$*"; }

# found PROGRAM [FILES...]: prints where the program, or one of the files, is.
found() {
	command -v "$1" && return
	shift
	for file in "$@"; do
		if [ -e "$file" ]; then
			echo "$file"
			return
		fi
	done
	return 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "not root and no sudo: run as root: $*" >&2
		exit 1
	fi
}

missing=
# want PACKAGE PROGRAM [FILES...]
want() {
	package=$1
	shift
	if where=$(found "$@"); then
		say "$package: found $where"
	else
		missing="$missing $package"
	fi
}

want postgresql initdb /usr/lib/postgresql/*/bin/initdb
want mariadb-server-core mariadbd /usr/sbin/mariadbd # only the programs: no service is started
want chromium chromium chromium-browser /usr/bin/google-chrome
want g++ "${CXX:-g++}" # DuckDB's library is C++
want protobuf-compiler protoc
want libprotobuf-dev google/protobuf/timestamp.proto /usr/include/google/protobuf/timestamp.proto # what protoc imports
want nodejs node
want npm npm

# node_packages installs what the lock file of the TypeScript plugin names, where
# that is not what is there.
node_packages() {
	(
		cd examples/plugin-typescript
		if cmp -s package-lock.json node_modules/.installed; then
			say "npm: packages of $PWD found"
			return
		fi
		npm ci --no-audit --no-fund --loglevel=error
		cp package-lock.json node_modules/.installed
		say "npm: packages of $PWD installed"
	)
}

if [ -z "$missing" ]; then
	node_packages
	exit 0
fi

command -v apt-get >/dev/null || {
	say "missing:$missing. There is no apt-get here: install them by hand" >&2
	exit 1
}

# The tests start servers of their own. Without this file the package would make a
# cluster and start it.
config=/etc/postgresql-common/createcluster.conf
case $missing in
*postgresql*)
	if [ ! -e "$config" ]; then
		as_root mkdir -p "${config%/*}"
		echo 'create_main_cluster = false' | as_root tee "$config" >/dev/null
	fi
	;;
esac

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"; }
apt_get update -qq
# The configuration file above is ours to keep.
# shellcheck disable=SC2086 # one word per package
apt_get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $missing >/dev/null
for package in $missing; do
	say "$package: installed"
done
node_packages
