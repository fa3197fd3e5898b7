/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Authenticated encryption with a counter: ChaCha20-Poly1305 (RFC 8439) with
 * keys from AlsKeySchedule, and the receiving side's replay window. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_KEY_BYTES 32
#define ALS_SEAL_TAG_BYTES 16
#define ALS_REPLAY_WINDOW 4096 /* packets */

typedef struct
{
  uint8_t key[ALS_KEY_BYTES];
  uint64_t counter;            /* next one to use */
} AlsSealer;

typedef struct
{
  uint8_t key[ALS_KEY_BYTES];
  gboolean ordered;            /* streams and messages: only the next counter is accepted */
  uint64_t next;               /* highest seen + 1 */
  uint64_t seen[ALS_REPLAY_WINDOW / 64];
} AlsOpener;

void     als_sealer_init  (AlsSealer *self, const uint8_t *key);
void     als_opener_init  (AlsOpener *self, const uint8_t *key, gboolean ordered);
void     als_sealer_clear (AlsSealer *self);
void     als_opener_clear (AlsOpener *self);
/* OUT: LEN + ALS_SEAL_TAG_BYTES; *COUNTER is the one used. Aborts rather than repeat a counter. */
void     als_sealer_seal  (AlsSealer *self, const void *ad, size_t ad_len, const uint8_t *plain,
                           size_t len, uint8_t *out, uint64_t *counter);
/* The window moves only after the tag verifies. OUT: LEN - ALS_SEAL_TAG_BYTES. May be in place. */
gboolean als_opener_open  (AlsOpener *self, const void *ad, size_t ad_len, uint64_t counter,
                           const uint8_t *sealed, size_t len, uint8_t *out);

/* A whole message with its counter in front, for signalling after the confirmation: bytes in, bytes
 * out. (transfer full) (nullable) */
GBytes  *als_sealer_seal_message (AlsSealer *self, GBytes *plain);
GBytes  *als_opener_open_message (AlsOpener *self, const uint8_t *data, size_t len);

G_END_DECLS
