#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Alongside authors
#
# check-data.sh CHECKER [ARGUMENT…]: runs a checker of data files; when it is not
# installed, says so and is skipped (77).
command -v "$1" >/dev/null 2>&1 || { echo "skipped: $1 is not installed"; exit 77; }
out=$("$@" 2>&1) || { status=$?; printf '%s\n' "$out"; exit "$status"; }
