/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Datagrams of strangers: what decodes encodes to the same bytes; what is heard leads to no more
 * candidates than there are places, and to nothing at all without the topic. */

#include "signal/als-lan-search.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static guint
count_candidates (const AlsLanSearch *search)
{
  guint n = 0;

  for (guint i = 0; i < ALS_LAN_MAX_CANDIDATES; i++)
    n += search->candidates[i].state != ALS_LAN_CANDIDATE_NONE ? 1 : 0;
  return n;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  uint8_t out[ALS_LAN_MESSAGE_BYTES];
  AlsLanEndpoint from = { .port = 1, .ip = { 192, 0, 2, 1 } };
  AlsLanMessage message;
  AlsLanTopic topic;

  if (!als_lan_message_decode (&message, data, size))
    return 0;
  als_lan_message_encode (&message, out);
  g_assert_cmpmem (out, sizeof out, data, size);
  als_lan_topic_from_number (&topic, 482913);
  for (guint is_inviter = 0; is_inviter < 2; is_inviter++)
    {
      AlsLanSearch search;
      gboolean wanted = message.type == (is_inviter != 0 ? ALS_LAN_ASK : ALS_LAN_ANNOUNCE)
                        && als_lan_message_check (&message, &topic, NULL);

      als_lan_search_start (&search, &topic, is_inviter != 0, TRUE, 0);
      g_assert_cmpint (als_lan_search_hear (&search, &message, &from, 1), ==, wanted);
      g_assert_cmpuint (count_candidates (&search), ==, wanted ? 1 : 0);
    }
  return 0;
}
