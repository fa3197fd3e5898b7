/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A STUN message from anybody, asked for everything. */

#include "stun/als-stun-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsStunMessage) message = als_stun_message_decode (data, size, NULL);
  static const uint8_t key[16] = "key";
  g_autofree char *reason = NULL;
  AlsStunAddress address;
  uint16_t types[4];
  uint32_t value;
  size_t n;
  guint code;

  if (message == NULL)
    return 0;
  g_assert (size >= ALS_STUN_HEADER_BYTES && message->method <= 0xfff);
  for (guint i = 0; i < message->n_attributes; i++)
    {
      AlsStunAttributeType type = message->attributes[i].type;
      g_autofree char *text = als_stun_message_get_text (message, type);

      g_assert (text == NULL || g_utf8_validate (text, -1, NULL));
      if (als_stun_message_get_address (message, type, &address))
        g_free (als_stun_address_to_string (&address));
      als_stun_message_get_u32 (message, type, &value);
    }
  als_stun_message_get_mapped (message, &address);
  if (als_stun_message_get_error (message, &code, &reason))
    g_assert (code >= 300 && code <= 699);
  g_assert (als_stun_message_get_unknown (message, types, G_N_ELEMENTS (types)) <= 4);
  als_stun_message_get_algorithms (message, types, G_N_ELEMENTS (types), &n);
  g_assert (n <= G_N_ELEMENTS (types));
  als_stun_message_find_unknown (message);
  als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1, key, sizeof key);
  als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA256, key, sizeof key);
  return 0;
}
