/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What is told to the visit's thread. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

void
als_visit_update_free (AlsVisitUpdate *self)
{
  als_code_wipe_string (self->code);
  als_code_wipe_string (self->code_uri);
  g_free (self->peer_name);
  g_free (self->path_remote);
  g_clear_error (&self->problem);
  g_clear_error (&self->error);
  g_clear_object (&self->screen);
  g_clear_pointer (&self->connection, als_connection_report_unref);
  als_code_wipe_string (self->invitation);
  als_code_wipe_string (self->reply);
  g_strfreev (self->known_ice_servers);
  g_clear_error (&self->transfer_error);
  for (guint i = 0; i < self->n_files; i++)
    {
      g_free (self->names[i]);
      g_clear_object (&self->saved[i]);
    }
  g_free (self->names);
  g_free (self->sizes);
  g_free (self->saved);
  g_free (self);
}

void
als_core_tell (AlsVisitCore *self)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);

  update->type = ALS_VISIT_UPDATE_SNAPSHOT;
  update->state = self->state;
  update->is_inviter = self->is_inviter;
  if (self->has_code && self->is_inviter)
    {
      update->code = als_code_format (&self->code);
      update->code_uri = als_code_to_uri (&self->code);
      update->code_expires_us = self->code_expires_us;
    }
  if (self->invitation != NULL)
    {
      update->invitation = g_strdup (als_invitation_get_text (self->invitation));
      update->code = g_strdup (als_invitation_get_digits (self->invitation));
      update->code_expires_us = self->code_expires_us;
    }
  update->reply = g_strdup (self->reply);
  update->next_mark_us = self->state == ALS_VISIT_LOOKING || self->is_marking ? self->next_mark_us : 0;
  update->n_marks = self->n_marks;
  update->is_clock_checked = self->clock.is_checked;
  update->known_ice_servers = g_strdupv (self->known_ice_servers);
  update->local_port = self->worked_port;
  update->reach = self->reach;
  update->tries_left = als_core_get_tries_left (self);
  update->peer_name = g_strdup (self->peer_name);
  update->permission = self->permission;
  update->is_sharing = self->sender != NULL;
  update->path_kind = self->stats.kind;
  update->path_remote = g_strdup (self->path_remote);
  update->rtt_us = self->stats.rtt_us;
  update->problem = self->problem != NULL ? g_error_copy (self->problem) : NULL;
  update->error = self->error != NULL ? g_error_copy (self->error) : NULL;
  update->connection
      = self->connection != NULL ? als_connection_report_ref (self->connection) : NULL;
  update->screen = self->receiver != NULL ? g_object_ref (self->receiver) : NULL;
  als_mailbox_post (self->updates, update);
}

void
als_core_tell_wrong_code (AlsVisitCore *self)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);

  update->type = ALS_VISIT_UPDATE_WRONG_CODE;
  update->tries_left = als_core_get_tries_left (self);
  als_mailbox_post (self->updates, update);
}

void
als_core_tell_transfer (AlsCoreTransfer *entry)
{
  AlsVisitUpdate *update = g_new0 (AlsVisitUpdate, 1);
  const GError *error = als_transfer_get_error (entry->transfer);

  update->type = ALS_VISIT_UPDATE_TRANSFER;
  update->transfer_id = entry->id;
  als_transfer_get_info (entry->transfer, &update->info);
  update->transfer_error = error != NULL ? g_error_copy (error) : NULL;
  if (!entry->is_told || entry->told != update->info.state)
    {
      update->n_files = update->info.n_files;
      update->names = g_new0 (char *, update->n_files);
      update->sizes = g_new0 (guint64, update->n_files);
      update->saved = g_new0 (GFile *, update->n_files);
      for (guint i = 0; i < update->n_files; i++)
        {
          GFile *saved = als_transfer_get_saved (entry->transfer, i);

          update->names[i] = g_strdup (als_transfer_get_name (entry->transfer, i));
          update->sizes[i] = als_transfer_get_size (entry->transfer, i);
          update->saved[i] = saved != NULL ? g_object_ref (saved) : NULL;
        }
      entry->told = update->info.state;
      entry->is_told = TRUE;
    }
  als_mailbox_post (entry->core->updates, update);
}
