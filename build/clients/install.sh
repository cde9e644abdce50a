#!/bin/sh
# Installs the command-line clients of package.json into DIR, outside the repository, for clients_test.go.
# Usage: install.sh [DIR]      default: ${XDG_CACHE_HOME:-$HOME/.cache}/glmtray-clients
#
# Needs node and npm, no root. A second run with the same versions returns at once: the stamp file is a copy of the
# package.json whose installation was finished, so an interrupted or outdated one is done again from nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/glmtray-clients}
stamp=installed.json

if cmp -s "$here/package.json" "$dir/$stamp"; then
	echo "clients: up to date in $dir"
	exit 0
fi
for tool in node npm; do
	command -v "$tool" >/dev/null || { echo "clients: $tool is not installed; the clients come from npm" >&2; exit 1; }
done

if [ -e "$dir/package.json" ] && ! grep -q '"glmtray-test-clients"' "$dir/package.json"; then
	echo "clients: $dir holds another project; name an empty folder" >&2
	exit 1
fi

mkdir -p "$dir"
cd "$dir"
rm -rf node_modules "$stamp"
cp "$here/package.json" package.json
# No lock file: it would name the registry that this machine happens to use. Every version in package.json is exact.
npm install --no-package-lock --no-audit --no-fund --no-progress --no-update-notifier --loglevel=error

# Most clients are native programs, which an install script puts in place or an optional package of this system brings;
# npm goes on when either fails. Of Cline package.json names each system's package, and there is none for some systems.
clients="claude opencode qwen codex cn"
system=$(node -p 'process.platform + "-" + process.arch')
if grep -q "\"@cline/cli-$system\"" package.json; then
	clients="$clients cline"
fi
# Not even to ask for its version does a client get out: see door.cjs.
export DISABLE_AUTOUPDATER=1 NODE_OPTIONS="--require \"$here/door.cjs\""
for client in $clients; do
	home=$(mktemp -d)
	HOME=$home "node_modules/.bin/$client" --version </dev/null >"$home/version" 2>"$home/errors" || {
		cat "$home/version" "$home/errors" >&2
		echo "clients: $client does not start" >&2
		rm -rf "$home"
		exit 1
	}
	echo "clients: $client $(head -n 1 "$home/version")"
	rm -rf "$home"
done
cp package.json "$stamp"
