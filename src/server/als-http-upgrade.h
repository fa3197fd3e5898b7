/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The one HTTP request that a WebSocket begins with (RFC 6455, 4.2), read
 * strictly. Also answers GET /healthz. Pure: bytes in, verdict and answer out. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _AlsHttpUpgrade AlsHttpUpgrade;

typedef enum
{
  ALS_HTTP_UPGRADE_MORE,    /* the request is not complete */
  ALS_HTTP_UPGRADE_SWITCH,  /* send the answer and speak WebSocket */
  ALS_HTTP_UPGRADE_HEALTH,  /* send the answer and close: somebody asked whether we live */
  ALS_HTTP_UPGRADE_REFUSE,  /* send the answer and close */
} AlsHttpUpgradeVerdict;

AlsHttpUpgrade        *als_http_upgrade_new           (const char *subprotocol);
void                   als_http_upgrade_free          (AlsHttpUpgrade *self);
/* USED: how many of the bytes belonged to the request; the rest follows it. Not again after a verdict. */
AlsHttpUpgradeVerdict  als_http_upgrade_feed          (AlsHttpUpgrade *self, const uint8_t *data, size_t len,
                                                       size_t *used);
/* The whole answer, after a verdict. */
const char            *als_http_upgrade_get_answer    (AlsHttpUpgrade *self);
/* (nullable): the last address in X-Forwarded-For, as it came: only a proxy of ours may be believed. */
const char            *als_http_upgrade_get_forwarded (AlsHttpUpgrade *self);
/* A refusal from outside the request. */
char                  *als_http_upgrade_make_refusal  (guint status, const char *reason, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsHttpUpgrade, als_http_upgrade_free)

G_END_DECLS
