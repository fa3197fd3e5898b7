/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Bytes as a text that people send by any chat or mail:
 *
 *   alongside-invitation:aeag2…    alongside-reply:aeag2…
 *
 * Base32, because that survives changed case, and chats make something else of
 * a base64's signs. Around it may be words; in it line breaks, spaces, quote
 * marks. Its length and a checksum are inside, so that what is cut off or
 * damaged is told. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Of what is put in. */
#define ALS_INVITATION_TEXT_MAX_BYTES 600

#define ALS_INVITATION_ERROR (als_invitation_error_quark ())
GQuark als_invitation_error_quark (void);

typedef enum
{
  ALS_INVITATION_ERROR_NONE_FOUND,  /* there is no such text in it */
  ALS_INVITATION_ERROR_OTHER_KIND,  /* a reply where an invitation is wanted, or the reverse */
  ALS_INVITATION_ERROR_CUT_OFF,     /* its end is missing */
  ALS_INVITATION_ERROR_DAMAGED,     /* characters are missing or changed */
  ALS_INVITATION_ERROR_VERSION,     /* made by a program that is too new, or too old */
  ALS_INVITATION_ERROR_BAD_DIGITS,  /* not six digits */
  ALS_INVITATION_ERROR_OTHER,       /* the reply to another invitation */
  ALS_INVITATION_ERROR_OLD,         /* its time is over */
  ALS_INVITATION_ERROR_USED,        /* a reply was taken already; one reply, one try */
  ALS_INVITATION_ERROR_WRONG_DIGITS,/* the reply was made with others: the invitation is used up */
} AlsInvitationError;

typedef enum
{
  ALS_INVITATION_TEXT_OTHER,
  ALS_INVITATION_TEXT_INVITATION,
  ALS_INVITATION_TEXT_REPLY,
} AlsInvitationText;

/* What TEXT holds; where it holds both (a mail with the one it answers), it is a reply. */
AlsInvitationText als_invitation_text_classify (const char *text);
/* (transfer full) */
char   *als_invitation_text_encode (AlsInvitationText kind, const uint8_t *data, size_t len);
/* (transfer full) (nullable) */
GBytes *als_invitation_text_decode (AlsInvitationText kind, const char *text, GError **error);

G_END_DECLS
