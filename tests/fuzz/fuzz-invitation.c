/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What somebody pastes. What decodes encodes to a text that decodes to the same; an invitation
 * that parses can be answered; a reply that nobody made for us is never taken. */

#include "crypto/als-crypto.h"
#include "crypto/als-invitation.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_text (AlsInvitationText kind, const char *text)
{
  g_autoptr (GBytes) bytes = als_invitation_text_decode (kind, text, NULL);
  g_autoptr (GBytes) again = NULL;
  g_autofree char *encoded = NULL;

  if (bytes == NULL)
    return;
  g_assert_cmpint (als_invitation_text_classify (text), !=, ALS_INVITATION_TEXT_OTHER);
  encoded = als_invitation_text_encode (kind, g_bytes_get_data (bytes, NULL),
                                        g_bytes_get_size (bytes));
  again = als_invitation_text_decode (kind, encoded, NULL);
  g_assert_true (g_bytes_equal (bytes, again));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static AlsInvitation *invitation;
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (AlsInvitationOffer) offer = NULL;
  g_autoptr (GBytes) none = g_bytes_new_static ("", 0);
  uint8_t secret[ALS_SESSION_SECRET_BYTES];

  als_crypto_init ();
  if (invitation == NULL)
    invitation = als_invitation_new (none, 0, 0);
  check_text (ALS_INVITATION_TEXT_INVITATION, text);
  check_text (ALS_INVITATION_TEXT_REPLY, text);
  g_assert_null (als_invitation_take_reply (invitation, text, 0, secret, NULL));
  offer = als_invitation_offer_parse (text, 0, NULL);
  if (offer != NULL)
    {
      GBytes *addresses = als_invitation_offer_get_addresses (offer);
      g_autofree char *reply = als_invitation_offer_reply (offer, "123456", addresses, secret, NULL);

      g_assert_cmpuint (g_bytes_get_size (addresses), <=, ALS_INVITATION_MAX_ADDRESSES);
      g_assert_true (reply == NULL || g_str_has_prefix (reply, "alongside-reply:"));
    }
  return 0;
}
