#!/bin/sh
# Installs what the tests of the desktop need, from Debian's packages. It does nothing
# where everything is there, or where it may not install.
set -eu
missing=
for tool in Xvfb openbox xfce4-panel lxqt-panel xdotool xclip import dbus-daemon desktop-file-validate gio chromium wine x86_64-w64-mingw32-gcc gnome-keyring-daemon secret-tool; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0
if [ "${CI:-}" != true ]; then
	echo "not installed:$missing; the tests that need them are skipped (CI=true installs them)" >&2
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends xvfb openbox xfce4-panel xfconf lxqt-panel adwaita-icon-theme xdotool xclip imagemagick \
	dbus libglib2.0-bin desktop-file-utils chromium fonts-noto-cjk wine wine64 gcc-mingw-w64-x86-64 gnome-keyring libsecret-tools >/dev/null
