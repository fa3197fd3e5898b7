#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Alongside authors
#
# screenshots.sh [BUILD-FOLDER]: draws every state of the windows in every dress into
# BUILD-FOLDER/screenshots: STATE.VARIANT.png. To be looked at before a release.
set -e
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../_build}" && pwd)
export GSETTINGS_SCHEMA_DIR="$build/data"

draw () {
  variant=$1
  shift
  "$here/run-ui.sh" "$build/tests/ui/als-ui-gallery" --out "$build/screenshots" \
    --variant "$variant" "$@" 2>&1 | grep -v -e '^dbus-daemon' -e '^SpiRegistry' || true
}

draw normal
draw narrow --width 360 --height 640
draw dark --dark
draw large-text --text-scale 2
draw large-text-narrow --text-scale 2 --width 360 --height 640
draw rtl --rtl
draw high-contrast --high-contrast
LANGUAGE=de
export LANGUAGE
draw german --locale-dir "$build/po"
draw german-narrow --locale-dir "$build/po" --width 360 --height 640
