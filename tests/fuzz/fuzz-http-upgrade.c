/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The verdict does not depend on how the request was cut, and an answer is one. */

#include "server/als-http-upgrade.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static AlsHttpUpgradeVerdict
feed (AlsHttpUpgrade *http, const uint8_t *data, size_t size, size_t piece, size_t *total)
{
  AlsHttpUpgradeVerdict verdict = ALS_HTTP_UPGRADE_MORE;

  *total = 0;
  while (*total < size && verdict == ALS_HTTP_UPGRADE_MORE)
    {
      size_t used;

      verdict = als_http_upgrade_feed (http, data + *total, MIN (piece, size - *total), &used);
      *total += used;
    }
  return verdict;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsHttpUpgrade) whole = als_http_upgrade_new ("alongside.1");
  g_autoptr (AlsHttpUpgrade) cut = als_http_upgrade_new ("alongside.1");
  size_t used, used_cut;
  AlsHttpUpgradeVerdict verdict = feed (whole, data, size, size, &used);
  AlsHttpUpgradeVerdict verdict_cut = feed (cut, data, size, 7, &used_cut);

  if (verdict != ALS_HTTP_UPGRADE_MORE)
    g_assert_true (g_str_has_prefix (als_http_upgrade_get_answer (whole), "HTTP/1.1 "));
  /* A refusal may come before the end of what is refused, and then for an earlier reason. */
  if (verdict == ALS_HTTP_UPGRADE_REFUSE || verdict_cut == ALS_HTTP_UPGRADE_REFUSE)
    {
      g_assert_cmpint (verdict, ==, verdict_cut);
      return 0;
    }
  g_assert_cmpint (verdict, ==, verdict_cut);
  g_assert_cmpuint (used, ==, used_cut);
  g_assert_cmpstr (als_http_upgrade_get_answer (whole), ==, als_http_upgrade_get_answer (cut));
  return 0;
}
