/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A TURN server on loopback that only pretends: it allocates nothing and relays
 * nothing, and misbehaves as it is told. In the default main context. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-message.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_FAKE_TURN_HONEST,
  ALS_FAKE_TURN_SILENT,        /* reads and says nothing */
  ALS_FAKE_TURN_GARBAGE,       /* says what is not STUN */
  ALS_FAKE_TURN_BYTE_BY_BYTE,  /* honest, one byte at a time */
  ALS_FAKE_TURN_CLOSES_AT_ONCE,
  ALS_FAKE_TURN_CLOSES_AT_REQUEST,
  ALS_FAKE_TURN_CLOSES_AT_LOGIN, /* when the signed request has come */
  ALS_FAKE_TURN_REFUSES,       /* signed requests, with `code` */
  ALS_FAKE_TURN_REDIRECTS,     /* 300 to `alternate` */
  ALS_FAKE_TURN_ONLY_IPV6,     /* 440 unless an IPv6 relayed address is asked for */
} AlsFakeTurnManner;

typedef struct
{
  AlsFakeTurnManner manner;
  guint code;
  AlsStunAddress alternate;
  guint lifetime_s;          /* of allocations; 0: 600 */
  const char *password;      /* NULL: "secret". For the user "user" in the realm "fake" */
  AlsStunAddress endpoint;   /* what everybody's is; family NONE: as it is seen */
  /* what was seen */
  guint n_connections;       /* ever */
  guint n_open;
  guint n_allocations;       /* granted */
  guint n_allocates;         /* signed requests for one */
  guint n_bindings;
  guint n_given_back;
  /* its own */
  uint16_t port;
  GSocketService *service;
  GPtrArray *connections;
} AlsFakeTurn;

/* FAMILY: 127.0.0.1 or ::1. PORT: 0: any. */
void als_fake_turn_init      (AlsFakeTurn *self, GSocketFamily family, uint16_t port);
void als_fake_turn_clear     (AlsFakeTurn *self);
/* Ends all connections. */
void als_fake_turn_hang_up   (AlsFakeTurn *self);

G_END_DECLS
