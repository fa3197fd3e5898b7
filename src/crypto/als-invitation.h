/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Invitations without a server (design §7): two texts that people carry, and
 * six digits that they speak. Pure: texts in and out, and what time it is.
 *
 *   inviter  → invitation  nonce, CPace share, addresses
 *   joiner   → reply       share, tag, addresses sealed
 *
 * The digits are in neither text; who sees both learns nothing about them, and
 * a forged text of either kind is one guess. The reply is bound to every byte
 * of the invitation. Both sides then have the session secret; that the inviter
 * has it, too, the hello of the first path proves.
 *
 * One reply is taken, whatever it is, if only it was made for this invitation
 * and is whole. */

#pragma once

#include "crypto/als-handshake.h"
#include "crypto/als-invitation-text.h"

G_BEGIN_DECLS

#define ALS_INVITATION_MAX_ADDRESSES 400 /* bytes */
#define ALS_INVITATION_LIFETIME_S (20 * 60)

/* --- inviter -------------------------------------------------------------- */

typedef struct _AlsInvitation AlsInvitation;

/* ADDRESSES: what the punch paths tell of us, at most ALS_INVITATION_MAX_ADDRESSES. REAL_US: by the clock
 * on the wall, for the other side; NOW_US: monotonic. Draws the digits. */
AlsInvitation *als_invitation_new        (GBytes *addresses, int64_t real_us, int64_t now_us);
void           als_invitation_free       (AlsInvitation *self); /* wipes its secrets */
const char    *als_invitation_get_text   (AlsInvitation *self);
/* To be spoken: secret, never logged. */
const char    *als_invitation_get_digits (AlsInvitation *self);
/* When it is no longer answered: monotonic. */
int64_t        als_invitation_get_expiry (AlsInvitation *self);
/* The joiner's addresses, and SECRET: ALS_SESSION_SECRET_BYTES. NULL: ALS_INVITATION_ERROR; after OLD, USED
 * and WRONG_DIGITS it is over, after the rest another text may be tried. (transfer full) (nullable) */
GBytes        *als_invitation_take_reply (AlsInvitation *self, const char *text, int64_t now_us,
                                          uint8_t *secret, GError **error);

/* --- joiner --------------------------------------------------------------- */

/* What an invitation says. */
typedef struct _AlsInvitationOffer AlsInvitationOffer;

/* REAL_US: the clock on the wall, 0 where it is not known to be right: then the age is not checked.
 * (nullable): ALS_INVITATION_ERROR. */
AlsInvitationOffer *als_invitation_offer_parse (const char *text, int64_t real_us, GError **error);
void           als_invitation_offer_free (AlsInvitationOffer *self);
/* The inviter's; hostile until a path's hello. (transfer none) */
GBytes        *als_invitation_offer_get_addresses (AlsInvitationOffer *self);
/* DIGITS: as typed (spaces and dashes do no harm). SECRET: ALS_SESSION_SECRET_BYTES. One press, one reply: a
 * second one for the same invitation is a second guess for whoever made it. The text:
 * (transfer full) (nullable) ALS_INVITATION_ERROR. */
char          *als_invitation_offer_reply (AlsInvitationOffer *self, const char *digits,
                                           GBytes *addresses, uint8_t *secret, GError **error);
/* DIGITS are six digits. */
gboolean       als_invitation_check_digits (const char *digits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsInvitation, als_invitation_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsInvitationOffer, als_invitation_offer_free)

G_END_DECLS
