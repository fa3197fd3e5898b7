/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The arithmetic of CPace (draft-irtf-cfrg-cpace-21) for the suite
 * CPACE-RISTR255-SHA512: bytes in, bytes out. Who says what and when is
 * AlsHandshake's. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_CPACE_SCALAR_BYTES 32
#define ALS_CPACE_POINT_BYTES 32
#define ALS_CPACE_ISK_BYTES 64

/* A share and what its sender says beside it. */
typedef struct
{
  const uint8_t *point; /* ALS_CPACE_POINT_BYTES */
  const char *ad;       /* associated data, perhaps "" */
} AlsCpaceParty;

/* The secret generator (section 8.3): PRS is the password, CI the channel, SID the session. */
void     als_cpace_generator (const char *prs, const uint8_t *ci, size_t ci_len,
                              const uint8_t *sid, size_t sid_len, uint8_t *generator);
/* scalar_mult_vfy: FALSE for what is no point, not in canonical form, or gives the identity; OUT is
 * zeroed then. */
gboolean als_cpace_multiply  (const uint8_t *scalar, const uint8_t *point, uint8_t *out);
/* The intermediate session key of initiator A and responder B (section 7.2). */
void     als_cpace_isk       (const uint8_t *sid, size_t sid_len, const uint8_t *k,
                              const AlsCpaceParty *a, const AlsCpaceParty *b, uint8_t *isk);
/* The same without roles: both orders of A and B give one key. */
void     als_cpace_isk_symmetric (const uint8_t *sid, size_t sid_len, const uint8_t *k,
                                  const AlsCpaceParty *a, const AlsCpaceParty *b, uint8_t *isk);

G_END_DECLS
