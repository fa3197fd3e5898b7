/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* From the short code to a session secret: CPace (ristretto255, SHA-512) and
 * the counting of tries (design §3.2). Pure: messages in and out.
 *
 *   joiner   → SHARE {joiner share}
 *   inviter  → SHARE {inviter share}        a try is spent here
 *   joiner   → TAG  {joiner tag}            the joiner's comes first
 *   inviter  → TAG  {inviter tag}           only if the joiner's agrees; gives the try back
 *
 * Nothing about either side is in these messages. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>
#include "crypto/als-code.h"

G_BEGIN_DECLS

#define ALS_HANDSHAKE_MAX_TRIES 3
#define ALS_SESSION_SECRET_BYTES 32
#define ALS_MEETING_ID_BYTES 16
/* Longest message. */
#define ALS_HANDSHAKE_MAX_MESSAGE 128

#define ALS_HANDSHAKE_ERROR (als_handshake_error_quark ())
GQuark als_handshake_error_quark (void);

typedef enum
{
  ALS_HANDSHAKE_ERROR_PROTOCOL,   /* malformed, out of turn, identity, reflected */
  ALS_HANDSHAKE_ERROR_WRONG_CODE, /* the tags differ */
  ALS_HANDSHAKE_ERROR_BURNT,      /* no tries are left: a new code is needed */
} AlsHandshakeError;

/* Tries of one code, shared by the handshakes that use it. The joiner has one too: one per number. */
typedef struct
{
  guint spent;
} AlsTries;

typedef struct _AlsHandshake AlsHandshake;

/* CODE is copied. TRIES is borrowed and must outlive the handshake. */
AlsHandshake *als_handshake_new        (gboolean is_inviter, const AlsCode *code, AlsTries *tries);
/* Wipes its secrets. */
void          als_handshake_free       (AlsHandshake *self);
/* What to send first: the joiner's share (spends a try of the joiner's); NULL for the inviter.
 * (transfer full) (nullable) */
GBytes       *als_handshake_start      (AlsHandshake *self, GError **error);
/* TRUE: go on. FALSE: it is over, for good: whatever comes later is a PROTOCOL error. Either way
 * *REPLY (transfer full) (nullable) is to be sent; on failure it tells the joiner at once that the
 * code was wrong or burnt. The third wrong code still fails as WRONG_CODE; TRIES tells that it was the
 * last. */
gboolean      als_handshake_receive    (AlsHandshake *self, const uint8_t *data, size_t len,
                                        GBytes **reply, GError **error);
/* Both sides proved the code. */
gboolean      als_handshake_is_done    (const AlsHandshake *self);
/* SECRET: ALS_SESSION_SECRET_BYTES; only when done. */
void          als_handshake_get_secret (const AlsHandshake *self, uint8_t *secret);
/* The id under which both sides meet again when all paths are lost. */
void          als_session_secret_to_meeting_id (const uint8_t *secret, uint8_t *meeting_id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsHandshake, als_handshake_free)

G_END_DECLS
