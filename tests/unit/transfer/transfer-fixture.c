/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transfer-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define PATIENCE_S 60

void
fixture_init (Fixture *self)
{
  g_autofree char *top = g_dir_make_tmp ("alongside-transfer-XXXXXX", NULL);

  g_assert_nonnull (top);
  memset (self, 0, sizeof *self);
  self->from = g_build_filename (top, "from", NULL);
  self->to = g_build_filename (top, "to", NULL);
  g_assert_cmpint (g_mkdir (self->from, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (self->to, 0700), ==, 0);
  self->files = g_ptr_array_new_with_free_func (g_object_unref);
  self->peer.got = g_ptr_array_new_with_free_func ((GDestroyNotify) als_file_message_free);
  self->peer.to_write = g_byte_array_new ();
  als_file_parser_init (&self->peer.parser);
}

static void
remove_folder (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      if (g_remove (child) != 0)
        remove_folder (child);
    }
  g_assert_cmpint (g_rmdir (path), ==, 0);
}

static gboolean
is_nobodys_else (Fixture *self)
{
  return (self->outgoing == NULL || G_OBJECT (self->outgoing)->ref_count == 1)
         && (self->incoming == NULL || G_OBJECT (self->incoming)->ref_count == 1);
}

void
fixture_clear (Fixture *self)
{
  g_autofree char *top = g_path_get_dirname (self->from);

  if (self->sessions != NULL)
    self->free_sessions (g_steal_pointer (&self->sessions));
  /* After the sessions' end nothing but the test holds them. */
  g_assert_true (is_nobodys_else (self));
  g_assert_true (self->outgoing == NULL || is_outgoing_over (self));
  g_assert_true (self->incoming == NULL || is_incoming_over (self));
  g_clear_object (&self->outgoing);
  g_clear_object (&self->incoming);
  g_ptr_array_unref (self->files);
  g_ptr_array_unref (self->peer.got);
  g_byte_array_unref (self->peer.to_write);
  als_file_parser_clear (&self->peer.parser);
  remove_folder (top);
  g_free (self->from);
  g_free (self->to);
}

void
fixture_add_file (Fixture *self, const char *name, size_t len, guint seed)
{
  g_autofree char *path = g_build_filename (self->from, name, NULL);
  g_autofree guint32 *data = g_malloc (len + sizeof (guint32));
  guint32 x = seed * 2654435761u + 1;

  for (size_t i = 0; i < (len + 3) / 4; i++)
    data[i] = x = x * 1664525u + 1013904223u;
  g_assert_true (g_file_set_contents (path, (const char *) data, (gssize) len, NULL));
  g_ptr_array_add (self->files, g_file_new_for_path (path));
}

static gboolean
patience_cb (gpointer user_data)
{
  g_error ("gave up waiting for %s", (const char *) user_data);
  return G_SOURCE_REMOVE;
}

void
fixture_wait (Fixture *self, FixtureCondition condition, const char *what)
{
  guint id = g_timeout_add_seconds (PATIENCE_S, patience_cb, (gpointer) what);

  while (!condition (self))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

void
fixture_settle (Fixture *self)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

AlsTransferState
fixture_state (AlsTransfer *transfer)
{
  AlsTransferInfo info;

  als_transfer_get_info (transfer, &info);
  return info.state;
}

static gboolean
is_over (AlsTransfer *transfer)
{
  return fixture_state (transfer) == ALS_TRANSFER_DONE
         || fixture_state (transfer) == ALS_TRANSFER_FAILED;
}

gboolean
is_outgoing_offered (Fixture *self)
{
  return fixture_state (self->outgoing) == ALS_TRANSFER_OFFERED;
}

gboolean
is_outgoing_active (Fixture *self)
{
  return fixture_state (self->outgoing) == ALS_TRANSFER_ACTIVE;
}

gboolean
is_outgoing_over (Fixture *self)
{
  return is_over (self->outgoing);
}

gboolean
is_incoming_there (Fixture *self)
{
  return self->incoming != NULL;
}

gboolean
is_incoming_offered (Fixture *self)
{
  return self->incoming != NULL && fixture_state (self->incoming) == ALS_TRANSFER_OFFERED;
}

gboolean
is_incoming_active (Fixture *self)
{
  return self->incoming != NULL && fixture_state (self->incoming) == ALS_TRANSFER_ACTIVE;
}

gboolean
is_incoming_over (Fixture *self)
{
  return self->incoming != NULL && is_over (self->incoming);
}

gboolean
are_both_over (Fixture *self)
{
  return is_outgoing_over (self) && is_incoming_over (self);
}

gboolean
is_peer_closed (Fixture *self)
{
  return self->peer.closed;
}

void
fixture_assert_failed (AlsTransfer *transfer, AlsTransferError code)
{
  const GError *error = als_transfer_get_error (transfer);

  g_assert_cmpint (fixture_state (transfer), ==, ALS_TRANSFER_FAILED);
  g_assert_error (error, ALS_TRANSFER_ERROR, (int) code);
  g_assert_cmpstr (error->message, !=, "");
}

void
fixture_assert_same (Fixture *self, const char *name, const char *saved_as)
{
  g_autofree char *a = g_build_filename (self->from, name, NULL);
  g_autofree char *b = g_build_filename (self->to, saved_as, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GMappedFile) left = g_mapped_file_new (a, FALSE, &error);
  g_autoptr (GMappedFile) right = NULL;

  g_assert_no_error (error);
  right = g_mapped_file_new (b, FALSE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_mapped_file_get_length (left), ==, g_mapped_file_get_length (right));
  g_assert_true (g_mapped_file_get_length (left) == 0
                 || memcmp (g_mapped_file_get_contents (left), g_mapped_file_get_contents (right),
                            g_mapped_file_get_length (left))
                      == 0);
}

void
fixture_write_to (Fixture *self, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (self->to, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

guint
fixture_count_to (Fixture *self)
{
  g_autoptr (GDir) dir = g_dir_open (self->to, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}
