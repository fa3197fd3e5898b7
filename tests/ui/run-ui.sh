#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Alongside authors
#
# run-ui.sh COMMAND [ARGUMENT…]: runs it on an X display and a session bus of its own,
# with settings in memory. Any warning of GTK, libadwaita or ours on stderr makes it fail.
# Skipped (77) where Xvfb or dbus-run-session is missing.
for tool in Xvfb dbus-run-session; do
  command -v $tool >/dev/null 2>&1 || { echo "1..0 # SKIP $tool is not installed"; exit 77; }
done

work=$(mktemp -d) || exit 1
xvfb=
finish () {
  [ -n "$xvfb" ] && kill "$xvfb" 2>/dev/null && wait "$xvfb" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

mkfifo "$work/display"
# So large that the pointer, which starts in its middle, is on no window: no tooltips.
Xvfb -displayfd 3 -screen 0 2600x1900x24 -nolisten tcp -dpi 96 3>"$work/display" 2>"$work/xvfb.log" &
xvfb=$!
read -r number <"$work/display" || { cat "$work/xvfb.log"; exit 1; }

export DISPLAY=":$number" GDK_BACKEND=x11 GSK_RENDERER=cairo
export GTK_USE_PORTAL=0 ADW_DISABLE_PORTAL=1 GTK_A11Y="${GTK_A11Y:-atspi}"
export GSETTINGS_BACKEND=memory NO_AT_BRIDGE=0
export XDG_RUNTIME_DIR="$work" XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$work/cache"
export XDG_DATA_HOME="$work/data" LC_ALL="${UI_LOCALE:-C.UTF-8}"
unset WAYLAND_DISPLAY

# libadwaita 1.7's AdwMessageDialog tries narrow widths for its heading, of which GTK 4.18 warns.
not_ours='Trying to measure GtkLabel 0x[0-9a-f]+ for width of [0-9]+, but it needs at least'

# Services that the bus starts talk on its stdout, which is not the test's.
dbus-run-session -- sh -c 'exec "$@" >&3 3>&-' sh "$@" 3>&1 >/dev/null 2>"$work/stderr"
status=$?
cat "$work/stderr" >&2
if grep -E '(Gtk|Gdk|Gsk|Adwaita|GLib|GLib-GObject|GLib-GIO|Pango|als-[a-z]*)-(WARNING|CRITICAL|ERROR)' \
     "$work/stderr" | grep -vE "$not_ours" >/dev/null; then
  echo "Bail out! warnings or criticals, see above"
  exit 1
fi
exit $status
