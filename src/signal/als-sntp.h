/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What time it is, for two sides that have to act at one moment and cannot
 * talk: asked of NTP servers, or else as the computer's clock says. */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define ALS_SNTP_MAX_SERVERS 4
#define ALS_SNTP_PORT 123

typedef struct
{
  gboolean is_checked;  /* by a server; FALSE: the computer's clock, which may be wrong */
  int64_t offset_us;    /* UTC since 1970 less g_get_monotonic_time () */
  int64_t delay_us;     /* of the question that counted; 0 when not checked */
} AlsSntpTime;

/* SERVERS: (nullable) HOST or HOST:PORT, the first ALS_SNTP_MAX_SERVERS are asked, side by side. Ends within
 * 3 s whatever happens, and in well under one where somebody answers. Uses the thread-default context. */
void        als_sntp_ask_async  (const char *const *servers, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data);
/* FALSE: cancelled, nothing else. */
gboolean    als_sntp_ask_finish (GAsyncResult *result, AlsSntpTime *time, GError **error);
/* The computer's clock as it is now. */
AlsSntpTime als_sntp_unchecked  (void);
/* The first time from NOW_US on (monotonic, as the result is) that is a multiple of STEP_US in UTC. */
int64_t     als_sntp_next_mark  (const AlsSntpTime *time, int64_t now_us, int64_t step_us);

G_END_DECLS
