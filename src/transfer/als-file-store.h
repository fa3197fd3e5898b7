/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Where received files go: each is written under a hidden name beside its final
 * one, readable by nobody else, and gets its name when it is whole. Nothing is
 * ever overwritten, and nothing outside the folder touched. */

#pragma once

#include <gio/gio.h>

#include "protocol/als-file-message.h"

G_BEGIN_DECLS

typedef struct _AlsFileStore AlsFileStore;

/* Opens FOLDER, making it if needed, and asks whether it has room for all of ENTRIES (element-type
 * AlsFileEntry, names safe). Errors are of ALS_TRANSFER_ERROR. Worker thread. */
AlsFileStore *als_file_store_new     (const char *folder, GPtrArray *entries, GError **error);
AlsFileStore *als_file_store_ref     (AlsFileStore *self);
void          als_file_store_unref   (AlsFileStore *self);
/* Worker thread. */
gboolean      als_file_store_write   (AlsFileStore *self, guint file, uint32_t index, GBytes *data,
                                      GError **error);
/* Gives it its name; returns that. (transfer full) Worker thread. */
char         *als_file_store_save    (AlsFileStore *self, guint file, GError **error);
/* Removes what is not saved, now and for good: all later calls fail. Any thread. */
void          als_file_store_abandon (AlsFileStore *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsFileStore, als_file_store_unref)

G_END_DECLS
