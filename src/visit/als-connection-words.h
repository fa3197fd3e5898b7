/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Between the two halves of AlsConnectionReport: its data and its words. */

#pragma once

#include "visit/als-connection-report.h"

G_BEGIN_DECLS

/* "12.4 ms", "140 ms". (transfer full) */
char       *als_connection_words_round_trip (int64_t us);
/* Names for programs: "unknown", "endpoint-independent", ... */
const char *als_connection_words_dependence (AlsNatDependence dependence);

G_END_DECLS
