/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A blocking WebSocket client for tests of the server. It does nothing by
 * itself, so it can do everything wrong. Whatever should come and does not
 * within 10 s fails the test. */

#pragma once

#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

typedef struct _AlsTestWs AlsTestWs;

/* Connected to 127.0.0.1, and nothing said yet. RECEIVE_BUFFER: 0: the system's; else bytes. */
AlsTestWs        *als_test_ws_connect   (uint16_t port, gboolean tls, int receive_buffer);
void              als_test_ws_free      (AlsTestWs *self);
/* From now on everything is written in pieces of this size; 0: at once. */
void              als_test_ws_set_piece (AlsTestWs *self, size_t bytes);
void              als_test_ws_write     (AlsTestWs *self, const void *data, size_t len);
/* EXTRA: (nullable) more header lines. Fails the test unless the server switches. */
void              als_test_ws_upgrade   (AlsTestWs *self, const char *extra);
/* A frame: the first byte as it is (0x82: a whole binary message). */
void              als_test_ws_frame     (AlsTestWs *self, uint8_t first, gboolean masked, const void *data,
                                         size_t len);
void              als_test_ws_say       (AlsTestWs *self, const AlsSignalMessage *message);
void              als_test_ws_say_type  (AlsTestWs *self, AlsSignalType type);
void              als_test_ws_say_bytes (AlsTestWs *self, AlsSignalType type, const void *data, size_t len);
/* TRUE: something came, or the end did, within this time. */
gboolean          als_test_ws_wait      (AlsTestWs *self, int timeout_ms);
/* The next message; NULL: the server closed. (transfer full) */
AlsSignalMessage *als_test_ws_hear      (AlsTestWs *self);
/* The same, and of this type. */
AlsSignalMessage *als_test_ws_expect    (AlsTestWs *self, AlsSignalType type);
/* An error, and if FINAL the end of the connection after it. */
void              als_test_ws_expect_error (AlsTestWs *self, AlsSignalCode code, gboolean final);
/* What comes until the server closes. (transfer full) */
char             *als_test_ws_read_all  (AlsTestWs *self);
/* Of the close frame, once als_test_ws_hear () has yielded NULL; 0: there was none. */
guint             als_test_ws_get_close_status (AlsTestWs *self);

/* Connected, upgraded and greeted. */
AlsTestWs        *als_test_ws_open      (uint16_t port, gboolean tls);
/* Registers and yields the number. */
uint32_t          als_test_ws_register  (AlsTestWs *self);
void              als_test_ws_join      (AlsTestWs *self, uint32_t number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTestWs, als_test_ws_free)

G_END_DECLS
