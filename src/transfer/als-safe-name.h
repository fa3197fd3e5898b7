/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* File names from the other side made safe. Pure. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* NAME: any bytes. The result is valid UTF-8 of 1 .. 255 bytes, one component of a path: no
 * slashes, not hidden, nothing invisible that changes how it reads. A safe name stays as it is.
 * (transfer full) */
char *als_safe_name_new      (const char *name);
/* "report.pdf", 2: "report (2).pdf"; "archive.tar.gz", 3: "archive (3).tar.gz". NAME is safe,
 * and so is the result. (transfer full) */
char *als_safe_name_numbered (const char *name, guint n);
/* ".NAME.TAG.part", 255 bytes at the most; TAG: ASCII. (transfer full) */
char *als_safe_name_part     (const char *name, const char *tag);

G_END_DECLS
