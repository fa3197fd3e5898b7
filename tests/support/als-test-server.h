/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Runs the real alongside-signald (environment ALS_SIGNALD) for a test. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _AlsTestServer AlsTestServer;

/* For tests in which one address plays everybody: limits on how often it comes are out of reach. */
#define ALS_TEST_SERVER_NO_LIMITS \
  "[limits]\njoin-burst=100000\nconnect-burst=100000\nconnections-per-address=1000\n"

/* CONFIG: (nullable) text of a configuration file. ARGS: (nullable) more options. Listens on a free
 * port of 127.0.0.1, unless ARGS holds --private, and has said so when this returns. */
AlsTestServer *als_test_server_start    (const char *config, const char *const *args);
uint16_t       als_test_server_get_port (AlsTestServer *self);
/* ws://127.0.0.1:PORT. (transfer full) */
char          *als_test_server_make_uri (AlsTestServer *self);
void           als_test_server_signal   (AlsTestServer *self, int number);
/* Waits for its end and yields the exit code; -1: it died of a signal. */
int            als_test_server_wait     (AlsTestServer *self);
/* What it logged, after its end. (transfer none) */
const char    *als_test_server_get_log  (AlsTestServer *self);
/* Stops it with SIGTERM if it runs; it must end well. */
void           als_test_server_free     (AlsTestServer *self);
/* Runs it to its end, which must come by itself. LOG: (transfer full) */
int            als_test_server_run      (const char *const *args, char **log);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTestServer, als_test_server_free)

G_END_DECLS
