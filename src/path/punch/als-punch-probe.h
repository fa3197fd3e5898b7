/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The small packets by which two UDP sockets find each other: bytes to a
 * struct and back. Each carries a MAC under a key that both sides made of their
 * secrets, and its sender's role, so that neither a stranger nor an echo
 * passes. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_PUNCH_PROBE_BYTES 40
#define ALS_PUNCH_KEY_BYTES 32

typedef enum
{
  ALS_PUNCH_PROBE = 1,    /* are you there? */
  ALS_PUNCH_ANSWER = 2,   /* I heard you */
  ALS_PUNCH_NOMINATE = 3, /* the inviter: let it be this one */
  ALS_PUNCH_ACCEPT = 4,   /* the joiner: so be it */
} AlsPunchProbeType;

typedef struct
{
  AlsPunchProbeType type;
  gboolean from_inviter;
  uint64_t nonce;         /* the sender's, for this pair of endpoints */
  uint64_t echo;          /* the receiver's nonce, as last heard; 0: none yet */
} AlsPunchProbe;

void     als_punch_probe_encode   (const AlsPunchProbe *self, const uint8_t *key, uint8_t *out);
/* FALSE for anything that is not the other side's. */
gboolean als_punch_probe_decode   (AlsPunchProbe *self, const uint8_t *key, const uint8_t *data,
                                   size_t len);
/* From the halves that each side told in its ENDPOINTS. */
void     als_punch_probe_make_key (const uint8_t *inviter_secret, const uint8_t *joiner_secret,
                                   uint8_t *key);

G_END_DECLS
