/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-mailbox.h"

struct _AlsMailbox
{
  gatomicrefcount refs;
  GMutex lock;        /* guards items and closed */
  GPtrArray *items;
  gboolean closed;
  GMainContext *context; /* until closed: giving up a source looks at its context */
  GSource *source;
  AlsMailboxFunc func;
  gpointer user_data;
  GDestroyNotify item_free;
};

typedef struct
{
  GSource source;
  AlsMailbox *mailbox; /* owned */
} MailboxSource;

static gboolean
mailbox_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  AlsMailbox *self = ((MailboxSource *) source)->mailbox;
  g_autoptr (GPtrArray) items = NULL;

  g_source_set_ready_time (source, -1);
  g_mutex_lock (&self->lock);
  if (!self->closed && self->items->len > 0)
    {
      items = self->items;
      self->items = g_ptr_array_new ();
    }
  g_mutex_unlock (&self->lock);
  if (items != NULL)
    self->func (items, self->user_data);
  return G_SOURCE_CONTINUE;
}

static void
mailbox_source_finalize (GSource *source)
{
  als_mailbox_unref (((MailboxSource *) source)->mailbox);
}

static GSourceFuncs mailbox_funcs = { NULL, NULL, mailbox_dispatch, mailbox_source_finalize, NULL,
                                      NULL };

AlsMailbox *
als_mailbox_new (GMainContext *context, const char *name, AlsMailboxFunc func, gpointer user_data,
                 GDestroyNotify item_free)
{
  AlsMailbox *self = g_new0 (AlsMailbox, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->items = g_ptr_array_new ();
  self->func = func;
  self->user_data = user_data;
  self->item_free = item_free;
  self->context = g_main_context_ref (context != NULL ? context : g_main_context_default ());
  self->source = g_source_new (&mailbox_funcs, sizeof (MailboxSource));
  ((MailboxSource *) self->source)->mailbox = als_mailbox_ref (self);
  g_source_set_static_name (self->source, name);
  g_source_set_ready_time (self->source, -1);
  g_source_attach (self->source, self->context);
  return self;
}

void
als_mailbox_post (AlsMailbox *self, gpointer item)
{
  gboolean closed;

  g_mutex_lock (&self->lock);
  closed = self->closed;
  if (!closed)
    {
      g_ptr_array_add (self->items, item);
      if (self->items->len == 1)
        g_source_set_ready_time (self->source, 0);
    }
  g_mutex_unlock (&self->lock);
  if (closed && self->item_free != NULL)
    self->item_free (item);
}

void
als_mailbox_close (AlsMailbox *self)
{
  GSource *source = NULL;
  GPtrArray *items = NULL;

  g_mutex_lock (&self->lock);
  if (!self->closed)
    {
      self->closed = TRUE;
      source = g_steal_pointer (&self->source);
      items = g_steal_pointer (&self->items);
    }
  g_mutex_unlock (&self->lock);
  if (items != NULL)
    {
      if (self->item_free != NULL)
        g_ptr_array_foreach (items, (GFunc) (void (*) (void)) self->item_free, NULL);
      g_ptr_array_unref (items);
    }
  if (source != NULL)
    {
      /* The source may hold the last reference to SELF. */
      g_autoptr (GMainContext) context = g_steal_pointer (&self->context);

      g_source_destroy (source);
      g_source_unref (source);
    }
}

AlsMailbox *
als_mailbox_ref (AlsMailbox *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
als_mailbox_unref (AlsMailbox *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->items, g_ptr_array_unref);
  g_mutex_clear (&self->lock);
  g_free (self);
}
