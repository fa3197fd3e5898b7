/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Sealed messages between the two sides, once the code is proved. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>

#include "protocol/als-peer-message.h"

void
als_core_begin_peer (AlsVisitCore *self, const uint8_t *session_secret)
{
  AlsKeyContext context = { .purpose = ALS_KEY_PURPOSE_SIGNAL };
  uint8_t key[ALS_KEY_BYTES];

  context.from_inviter = self->is_inviter;
  als_key_derive (session_secret, &context, key);
  als_sealer_init (&self->sealer, key);
  context.from_inviter = !self->is_inviter;
  als_key_derive (session_secret, &context, key);
  als_opener_init (&self->opener, key, FALSE);
  sodium_memzero (key, sizeof key);
}

void
als_core_end_peer (AlsVisitCore *self)
{
  als_sealer_clear (&self->sealer);
  als_opener_clear (&self->opener);
}

gboolean
als_core_say_peer (AlsVisitCore *self, AlsPeerMessageType type)
{
  AlsPeerMessage message = { .type = type };
  g_autoptr (GBytes) bytes = als_peer_message_encode (&message);

  return als_core_send_peer (bytes, self);
}

gboolean
als_core_send_peer (GBytes *bytes, gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_autoptr (GBytes) sealed = NULL;

  if (!self->is_confirmed)
    return FALSE;
  if (!als_core_is_paired (self))
    return als_core_talk_peer (self, bytes);
  sealed = als_sealer_seal_message (&self->sealer, bytes);
  return als_core_via_send (self, self->is_paired[ALS_VIA_LAN] ? ALS_VIA_LAN : ALS_VIA_SERVER,
                            sealed);
}

void
als_core_peer_message (AlsVisitCore *self, const uint8_t *data, size_t len)
{
  g_autoptr (GError) error = NULL;
  AlsPeerMessage message;

  if (!als_peer_message_decode (&message, data, len, &error))
    {
      g_debug ("%s", error->message);
      return;
    }
  switch (message.type)
    {
    case ALS_PEER_PATH:
      als_core_note_endpoints (self, &message);
      G_GNUC_FALLTHROUGH;
    case ALS_PEER_PATH_BEGIN:
    case ALS_PEER_PATH_FAILED:
    case ALS_PEER_MOVED:
      als_visit_paths_message (self->paths, &message);
      break;
    case ALS_PEER_NETWORK:
      als_core_peer_network (self, message.payload, message.payload_len);
      break;
    case ALS_PEER_BYE:
      als_core_finish (self, ALS_VISIT_ERROR_PEER_LEFT, "the other side ended the visit");
      break;
    }
}

void
als_core_sealed_peer_message (AlsVisitCore *self, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) plain = als_opener_open_message (&self->opener, data, len);

  /* NULL: not from our partner, then; the server's affair, not a reason to end. */
  if (plain != NULL)
    als_core_peer_message (self, g_bytes_get_data (plain, NULL), g_bytes_get_size (plain));
}
