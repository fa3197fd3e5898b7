/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A token bucket for each address, forgotten once it is full again. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _AlsAddressLimits AlsAddressLimits;

/* BURST at once, then one in INTERVAL_S. */
AlsAddressLimits *als_address_limits_new          (double burst, double interval_s, int64_t now_us);
void              als_address_limits_free         (AlsAddressLimits *self);
/* FALSE: too many. An address that cannot be remembered is over its limit. */
gboolean          als_address_limits_take         (AlsAddressLimits *self, const char *address, int64_t now_us);
guint             als_address_limits_get_n_known  (AlsAddressLimits *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsAddressLimits, als_address_limits_free)

G_END_DECLS
