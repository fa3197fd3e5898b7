/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The file through which apps of one user find their private server: locked
 * (flock) while the server lives, and holding its URIs, a line each. */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _AlsLockFile AlsLockFile;

/* Fails with G_IO_ERROR_BUSY when another process holds it. Empties the file. (transfer full) */
AlsLockFile *als_lock_file_take    (const char *path, GError **error);
/* A reader sees nothing or all of TEXT. */
gboolean     als_lock_file_write   (AlsLockFile *self, const char *text, GError **error);
/* Empties and unlocks. */
void         als_lock_file_release (AlsLockFile *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsLockFile, als_lock_file_release)

G_END_DECLS
