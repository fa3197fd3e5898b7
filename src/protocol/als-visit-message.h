/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the two sides of a visit say to each other on the ALS_CHANNEL_VISIT
 * channel: a 16-bit length, a type, then fields. Bytes to structs and back. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_VISIT_PROTOCOL_VERSION 1
/* Longest peer message in one. */
#define ALS_VISIT_MAX_PEER (8 * 1024 + 8)
/* Longest message behind its length; longer ones are a protocol error. */
#define ALS_VISIT_MAX_MESSAGE (ALS_VISIT_MAX_PEER + 1)
#define ALS_VISIT_MAX_NAME 120 /* bytes of UTF-8 */

typedef enum
{
  ALS_VISIT_MESSAGE_HELLO = 1,   /* both, first: version, name */
  ALS_VISIT_MESSAGE_CONSENT = 2, /* inviter: permission */
  ALS_VISIT_MESSAGE_PEER = 3,    /* peer: an AlsPeerMessage, while no server brings it */
} AlsVisitMessageType;

typedef struct
{
  AlsVisitMessageType type;
  uint16_t version;
  char *name;          /* never NULL in a HELLO that was decoded */
  uint8_t permission;  /* AlsVisitPermission: 0 declined, 1 files only, 2 see the screen */
  const uint8_t *peer; /* borrowed from the input */
  size_t peer_len;
} AlsVisitMessage;

#define ALS_VISIT_MESSAGE_ERROR (als_visit_message_error_quark ())
GQuark    als_visit_message_error_quark (void);

void      als_visit_message_clear  (AlsVisitMessage *self);
/* DATA: one message without its length. */
gboolean  als_visit_message_decode (AlsVisitMessage *self, const uint8_t *data, size_t len,
                                    GError **error);
/* With its length in front. A name that is too long is cut. */
GBytes   *als_visit_message_encode (const AlsVisitMessage *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AlsVisitMessage, als_visit_message_clear)

G_END_DECLS
