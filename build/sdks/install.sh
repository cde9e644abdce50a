#!/bin/sh
# Installs the JavaScript SDKs of package.json into DIR, outside the repository, for sdks_test.go.
# Usage: install.sh [DIR]      default: ${XDG_CACHE_HOME:-$HOME/.cache}/glmtray-sdks
#
# Needs node and npm, no root. A second run with the same versions returns at once: the stamp file is a copy of the
# package.json whose installation was finished, so an interrupted or outdated one is done again from nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/glmtray-sdks}
stamp=installed.json

if cmp -s "$here/package.json" "$dir/$stamp"; then
	echo "sdks: up to date in $dir"
	exit 0
fi
for tool in node npm; do
	command -v "$tool" >/dev/null || { echo "sdks: $tool is not installed; the SDKs come from npm" >&2; exit 1; }
done

if [ -e "$dir/package.json" ] && ! grep -q '"glmtray-test-sdks"' "$dir/package.json"; then
	echo "sdks: $dir holds another project; name an empty folder" >&2
	exit 1
fi

mkdir -p "$dir"
cd "$dir"
rm -rf node_modules "$stamp"
cp "$here/package.json" package.json
# No lock file: it would name the registry that this machine happens to use. Every version in package.json is exact. None
# of the SDKs needs an install script.
npm install --engine-strict --ignore-scripts --no-package-lock --no-audit --no-fund --no-progress --no-update-notifier --loglevel=error
cp package.json "$stamp"
