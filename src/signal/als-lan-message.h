/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What two sides on one local network say before they are paired: ANNOUNCE and
 * ASK in multicast datagrams, the rest as the first bytes of a connection. All
 * are of one size. Bytes to structs and back.
 *
 *   inviter  ANNOUNCE  I am here, at this port
 *   joiner   ASK       are you here? I am at this port
 *   joiner   HELLO     first on each connection
 *   inviter  WELCOME   only to a HELLO for what it waits for; or BUSY
 *   joiner   TAKE      this connection, of those that are welcome
 *
 * A message names what is looked for, its topic, by a keyed hash over a nonce
 * only, so that messages of one meeting cannot be told from those of another.
 * (Six digits can be tried one after the other: a number is public, and the
 * code's secret is in no message.) No message holds a name or an address. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_LAN_MESSAGE_BYTES 40
#define ALS_LAN_NONCE_BYTES 16
#define ALS_LAN_TAG_BYTES 16
#define ALS_LAN_TOPIC_BYTES 17

typedef enum
{
  ALS_LAN_ANNOUNCE = 1,
  ALS_LAN_ASK = 2,
  ALS_LAN_HELLO = 3,
  ALS_LAN_WELCOME = 4,
  ALS_LAN_BUSY = 5,
  ALS_LAN_TAKE = 6,
} AlsLanType;

typedef struct
{
  AlsLanType type;
  uint16_t port;                       /* ANNOUNCE, ASK: TCP; else 0 */
  uint8_t nonce[ALS_LAN_NONCE_BYTES];
  uint8_t tag[ALS_LAN_TAG_BYTES];
} AlsLanMessage;

/* A number or a meeting id. */
typedef struct
{
  uint8_t bytes[ALS_LAN_TOPIC_BYTES];
} AlsLanTopic;

void     als_lan_topic_from_number  (AlsLanTopic *self, uint32_t number);
/* MEETING_ID: ALS_SIGNAL_MEETING_BYTES. */
void     als_lan_topic_from_meeting (AlsLanTopic *self, const uint8_t *meeting_id);

/* FALSE: not ours, another version, or out of bounds. The tag is not checked. */
gboolean als_lan_message_decode     (AlsLanMessage *self, const uint8_t *data, size_t len);
/* OUT: ALS_LAN_MESSAGE_BYTES. */
void     als_lan_message_encode     (const AlsLanMessage *self, uint8_t *out);
/* Makes the tag of a message that answers one with the nonce THEIRS (nullable). */
void     als_lan_message_sign       (AlsLanMessage *self, const AlsLanTopic *topic,
                                     const uint8_t *theirs);
gboolean als_lan_message_check      (const AlsLanMessage *self, const AlsLanTopic *topic,
                                     const uint8_t *theirs);

G_END_DECLS
