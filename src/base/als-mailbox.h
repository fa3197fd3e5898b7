/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Posts pointers to the thread that iterates a GMainContext: a batch crosses
 * with one wake-up. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _AlsMailbox AlsMailbox;

/* ITEMS: (element-type gpointer): what came since the last call, in order; the
 * mailbox owns the array, the callback owns the items. */
typedef void (*AlsMailboxFunc) (GPtrArray *items, gpointer user_data);

/* ITEM_FREE frees items that are never delivered. (transfer full) */
AlsMailbox *als_mailbox_new   (GMainContext *context, const char *name, AlsMailboxFunc func,
                               gpointer user_data, GDestroyNotify item_free);
/* Any thread. Takes ITEM; after als_mailbox_close () it is freed at once. */
void        als_mailbox_post  (AlsMailbox *self, gpointer item);
/* Receiving thread: FUNC is not called again. */
void        als_mailbox_close (AlsMailbox *self);
AlsMailbox *als_mailbox_ref   (AlsMailbox *self);
void        als_mailbox_unref (AlsMailbox *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsMailbox, als_mailbox_unref)

G_END_DECLS
