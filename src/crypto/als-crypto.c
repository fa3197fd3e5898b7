/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "crypto/als-crypto.h"

#include <sodium.h>

void
als_crypto_init (void)
{
  if (sodium_init () < 0)
    g_error ("libsodium could not be initialized");
}
