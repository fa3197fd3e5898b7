/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Packets at a searching socket. The fuzzer does not know the key, so they are
 * also given as they would look with the right MAC: what decodes must encode to
 * the same bytes, and nothing that only repeats itself connects. */

#include <stdint.h>
#include <string.h>
#include "path/punch/als-punch-search.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static AlsPunchSearch *
make_search (uint8_t *key)
{
  AlsPunchSearchConfig config = { .is_inviter = TRUE, .seed = 1 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .has_secret = TRUE,
                              .n_endpoints = 1 };
  AlsPunchEndpoint own = { .kind = ALS_PUNCH_HOST };
  AlsPunchSearch *search = als_punch_search_new (&config, 1);
  g_autoptr (GBytes) bytes = NULL;

  als_stun_address_parse (&own.address, "10.0.0.1", 4000);
  message.endpoints[0] = own;
  message.endpoints[0].address.ip[3] = 2;
  bytes = als_punch_message_encode (&message);
  als_punch_search_set_local (search, &own, 1, TRUE, 1);
  als_punch_search_receive (search, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), 1);
  als_punch_probe_make_key (config.secret, message.secret, key);
  return search;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  uint8_t key[ALS_PUNCH_KEY_BYTES], packet[ALS_PUNCH_PROBE_BYTES];
  g_autoptr (AlsPunchSearch) search = make_search (key);
  AlsPunchSearchAction action;
  AlsStunAddress from;
  AlsPunchProbe probe;
  int64_t now_us = 1;

  als_stun_address_parse (&from, "10.0.0.2", 4000);
  if (als_punch_probe_decode (&probe, key, data, size))
    {
      als_punch_probe_encode (&probe, key, packet);
      g_assert_true (size == sizeof packet && memcmp (data, packet, size) == 0);
    }
  als_punch_search_packet (search, 0, &from, data, size, now_us);
  for (size_t i = 0; i + 18 <= size && i < 18 * 40; i += 18)
    {
      probe.type = 1 + data[i] % 4;
      probe.from_inviter = data[i + 1] & 1;
      memcpy (&probe.nonce, data + i + 2, sizeof probe.nonce);
      memcpy (&probe.echo, data + i + 10, sizeof probe.echo);
      als_punch_probe_encode (&probe, key, packet);
      als_punch_search_packet (search, data[i + 1] >> 1, &from, packet, sizeof packet, now_us);
      while (als_punch_search_take_action (search, now_us, &action))
        {
          /* Our nonces are 64 bits of an HMAC. */
          g_assert_cmpint (action.type, !=, ALS_PUNCH_SEARCH_CONNECTED);
          g_clear_pointer (&action.message, g_bytes_unref);
        }
      now_us += 30 * 1000;
    }
  return 0;
}
