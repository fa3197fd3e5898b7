/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One call before anything else of this folder. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Thread-safe, idempotent; aborts where no randomness is to be had. */
void als_crypto_init (void);

G_END_DECLS
