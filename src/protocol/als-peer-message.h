/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the two sides say to each other once the code is proved, each message
 * sealed, through the rendezvous server or the session: how paths come about.
 * Bytes to structs and back. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_PEER_MAX_PAYLOAD (8 * 1024)
/* Longest message. */
#define ALS_PEER_MAX_MESSAGE (ALS_PEER_MAX_PAYLOAD + 8)

typedef enum
{
  ALS_PEER_PATH = 1,        /* method, attempt, payload: for the other side's half of this attempt */
  ALS_PEER_PATH_FAILED = 2, /* method, attempt, problem */
  ALS_PEER_BYE = 3,         /* the visit is over */
  ALS_PEER_PATH_BEGIN = 4,  /* method, attempt; inviter: make the other half */
  ALS_PEER_NETWORK = 5,     /* payload: AlsNetworkMessage, what the sender's network is like */
  ALS_PEER_MOVED = 6,       /* joiner: its network changed, so that attempts may do what they did not */
} AlsPeerMessageType;

typedef struct
{
  AlsPeerMessageType type;
  uint8_t method;           /* AlsPathMethod */
  uint32_t attempt;
  uint8_t problem;          /* AlsPathProblem */
  const uint8_t *payload;   /* borrowed from the input */
  size_t payload_len;
} AlsPeerMessage;

#define ALS_PEER_MESSAGE_ERROR (als_peer_message_error_quark ())
GQuark   als_peer_message_error_quark (void);

gboolean als_peer_message_decode (AlsPeerMessage *self, const uint8_t *data, size_t len,
                                  GError **error);
/* (transfer full) (nullable): NULL when the payload is too long. */
GBytes  *als_peer_message_encode (const AlsPeerMessage *self);

G_END_DECLS
