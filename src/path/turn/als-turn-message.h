/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the two halves of a turn-tcp path tell each other, and how they greet
 * each other on a relayed connection: bytes to structs and back. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_TURN_MESSAGE_MAX_BYTES 512
#define ALS_TURN_MAX_OFFERED 8
#define ALS_TURN_TOKEN_BYTES 16

/* The only message; a later one replaces the earlier. */
typedef struct
{
  uint8_t token[ALS_TURN_TOKEN_BYTES];
  gboolean is_final;     /* all servers have answered: no more relayed addresses will come */
  gboolean one_sided;    /* willing to go without an allocation of one's own, or of the other's */
  guint n_relayed;
  AlsStunAddress relayed[ALS_TURN_MAX_OFFERED]; /* ours; the other's may come to them by now */
  guint n_public;
  AlsStunAddress public[ALS_TURN_MAX_OFFERED];  /* where plain connections of ours come from */
} AlsTurnOffer;

/* FALSE with G_IO_ERROR_INVALID_DATA; OFFER is undefined then. */
gboolean als_turn_offer_decode (AlsTurnOffer *offer, const uint8_t *data, size_t len,
                                GError **error);
/* (transfer full) */
GBytes  *als_turn_offer_encode (const AlsTurnOffer *offer);

/* Whoever made the connection says CONNECT, the other ACCEPT, and then the first GO. Strangers
 * do not know the token. */
typedef enum
{
  ALS_TURN_GREETING_CONNECT = 1,
  ALS_TURN_GREETING_ACCEPT = 2,
  ALS_TURN_GREETING_GO = 3,
} AlsTurnGreetingType;

#define ALS_TURN_GREETING_BYTES (4 + 1 + 1 + ALS_TURN_TOKEN_BYTES)
#define ALS_TURN_MAX_STRIPES 8

/* STRIPE: which connection of the carrier this is. */
void     als_turn_greeting_encode (uint8_t out[ALS_TURN_GREETING_BYTES], AlsTurnGreetingType type,
                                   guint stripe, const uint8_t token[ALS_TURN_TOKEN_BYTES]);
/* FALSE for anything else but a greeting of this type with this token. Takes the same time
 * whatever the token is. */
gboolean als_turn_greeting_decode (const uint8_t data[ALS_TURN_GREETING_BYTES],
                                   AlsTurnGreetingType type,
                                   const uint8_t token[ALS_TURN_TOKEN_BYTES], guint *stripe);

G_END_DECLS
