/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Punch messages from the other side: what decodes must encode to the same
 * bytes, and no plan dials what it must not. */

#include <stdint.h>
#include "path/punch/als-punch-plan.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
run_plan (gboolean is_inviter, const uint8_t *data, size_t size)
{
  AlsPunchPlanConfig config = { .is_inviter = is_inviter, .seed = 1 };
  g_autoptr (AlsPunchPlan) plan = als_punch_plan_new (&config, 1);
  AlsPunchEndpoint own = { .kind = ALS_PUNCH_HOST };
  AlsPunchAction action;
  int64_t now_us = 1;
  static const uint8_t go[] = { ALS_PUNCH_GO, 1, 0 };
  static const uint8_t pong[] = { ALS_PUNCH_PONG, 1 };

  als_stun_address_parse (&own.address, "10.0.0.1", 4000);
  als_punch_plan_set_local (plan, &own, 1, TRUE, now_us);
  als_punch_plan_receive (plan, data, size, now_us);
  als_punch_plan_receive (plan, pong, sizeof pong, now_us);
  als_punch_plan_receive (plan, go, sizeof go, now_us);
  for (guint i = 0; i < 200; i++)
    {
      while (als_punch_plan_take_action (plan, now_us, &action))
        {
          if (action.type == ALS_PUNCH_DO_SEND)
            g_bytes_unref (action.message);
          if (action.type == ALS_PUNCH_DO_DIAL)
            {
              g_assert_true (als_punch_address_is_dialable (&action.address, FALSE));
              g_assert_false (als_stun_address_equal (&action.address, &own.address));
              als_punch_plan_dialled (plan, action.dial, i % 4, now_us);
            }
        }
      if (als_punch_plan_get_deadline (plan) == INT64_MAX)
        break;
      now_us = MAX (now_us, als_punch_plan_get_deadline (plan));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) input = g_bytes_new (data, size);
  g_autoptr (GBytes) output = NULL;
  AlsPunchMessage message;

  if (!als_punch_message_decode (&message, data, size, NULL))
    return 0;
  output = als_punch_message_encode (&message);
  g_assert_true (output != NULL && g_bytes_equal (input, output));
  run_plan (TRUE, data, size);
  run_plan (FALSE, data, size);
  return 0;
}
