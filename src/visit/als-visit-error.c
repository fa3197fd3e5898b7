/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "visit/als-visit-error.h"

G_DEFINE_QUARK (als-visit-error-quark, als_visit_error)
