/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "visit/als-visit-private.h"

struct _AlsVisitTransfer
{
  GObject parent_instance;

  AlsVisit *visit;     /* borrowed; NULL once the visit is gone */
  guint id;
  AlsTransferInfo info;
  GError *error;
  guint n_files;
  char **names;        /* n_files long, as the two below; not NULL-terminated */
  guint64 *sizes;
  GFile **saved;
};

G_DEFINE_FINAL_TYPE (AlsVisitTransfer, als_visit_transfer, G_TYPE_OBJECT)

static guint changed_signal;

static void
clear_files (AlsVisitTransfer *self)
{
  for (guint i = 0; i < self->n_files; i++)
    {
      g_free (self->names[i]);
      g_clear_object (&self->saved[i]);
    }
  self->n_files = 0;
  g_clear_pointer (&self->names, g_free);
  g_clear_pointer (&self->sizes, g_free);
  g_clear_pointer (&self->saved, g_free);
}

static void
als_visit_transfer_finalize (GObject *object)
{
  AlsVisitTransfer *self = ALS_VISIT_TRANSFER (object);

  clear_files (self);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (als_visit_transfer_parent_class)->finalize (object);
}

static void
als_visit_transfer_class_init (AlsVisitTransferClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_visit_transfer_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
als_visit_transfer_init (AlsVisitTransfer *self)
{
}

AlsVisitTransfer *
als_visit_transfer_new (AlsVisit *visit, guint id)
{
  AlsVisitTransfer *self = g_object_new (ALS_TYPE_VISIT_TRANSFER, NULL);

  self->visit = visit;
  self->id = id;
  return self;
}

void
als_visit_transfer_apply (AlsVisitTransfer *self, AlsVisitUpdate *update)
{
  self->info = update->info;
  g_clear_error (&self->error);
  self->error = g_steal_pointer (&update->transfer_error);
  if (update->n_files > 0)
    {
      clear_files (self);
      self->n_files = update->n_files;
      self->names = g_steal_pointer (&update->names);
      self->sizes = g_steal_pointer (&update->sizes);
      self->saved = g_steal_pointer (&update->saved);
      update->n_files = 0;
    }
  g_signal_emit (self, changed_signal, 0);
}

void
als_visit_transfer_detach (AlsVisitTransfer *self)
{
  self->visit = NULL;
}

void
als_visit_transfer_get_info (AlsVisitTransfer *self, AlsTransferInfo *info)
{
  *info = self->info;
}

const GError *
als_visit_transfer_get_error (AlsVisitTransfer *self)
{
  return self->error;
}

const char *
als_visit_transfer_get_name (AlsVisitTransfer *self, guint i)
{
  return i < self->n_files ? self->names[i] : NULL;
}

guint64
als_visit_transfer_get_size (AlsVisitTransfer *self, guint i)
{
  return i < self->n_files ? self->sizes[i] : 0;
}

GFile *
als_visit_transfer_get_saved (AlsVisitTransfer *self, guint i)
{
  return i < self->n_files ? self->saved[i] : NULL;
}

void
als_visit_transfer_accept (AlsVisitTransfer *self)
{
  if (self->visit != NULL)
    als_visit_transfer_act (self->visit, self->id, ALS_VISIT_TRANSFER_ACCEPT);
}

void
als_visit_transfer_decline (AlsVisitTransfer *self)
{
  if (self->visit != NULL)
    als_visit_transfer_act (self->visit, self->id, ALS_VISIT_TRANSFER_DECLINE);
}

void
als_visit_transfer_cancel (AlsVisitTransfer *self)
{
  if (self->visit != NULL)
    als_visit_transfer_act (self->visit, self->id, ALS_VISIT_TRANSFER_CANCEL);
}
