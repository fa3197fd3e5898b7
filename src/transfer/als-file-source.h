/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The files of one offer as the sender's worker reads them: regular files only,
 * and the same ones from the first look to the last block. */

#pragma once

#include <gio/gio.h>

#include "protocol/als-file-message.h"

G_BEGIN_DECLS

typedef struct _AlsFileSource AlsFileSource;

/* Looks at FILES (element-type GFile) and opens each once; errors are ALS_TRANSFER_ERROR_READ.
 * Worker thread, as the rest. */
AlsFileSource *als_file_source_new    (GPtrArray *files, GError **error);
AlsFileSource *als_file_source_ref    (AlsFileSource *self);
void           als_file_source_unref  (AlsFileSource *self);
/* The safe name that FILE is offered under. (transfer full) Any thread. */
char          *als_file_source_dup_name (GFile *file);
/* (element-type AlsFileEntry) names are safe. Any thread: it does not change. */
GPtrArray     *als_file_source_get_entries (AlsFileSource *self);
/* A whole block; nothing (and no error) of an empty file. */
GBytes        *als_file_source_read   (AlsFileSource *self, guint file, uint32_t index,
                                       GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsFileSource, als_file_source_unref)

G_END_DECLS
