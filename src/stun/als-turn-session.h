/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One TURN allocation for TCP (RFC 8656, 6062) over its control connection. Pure:
 * bytes and the time in, bytes, events and the next deadline out.
 *
 * The connection must stay: relayed connections die with it. Where Allocate is
 * refused a Binding tells our endpoint all the same. Connections that an event
 * names are bound by an AlsTurnData on a connection of its own to the same
 * server and port. All waits end: an unanswered request after 39.5 s, leaving after 2 s. */

#pragma once

#include "stun/als-stun-auth.h"
#include "stun/als-turn-error.h"

G_BEGIN_DECLS

/* RFC 6062, 5.2 and 5.3: the server drops a connection left unbound this long. */
#define ALS_TURN_BIND_US ((int64_t) 30 * G_USEC_PER_SEC)
#define ALS_TURN_MAX_PERMISSIONS 16
/* Connects under way at once. */
#define ALS_TURN_MAX_CONNECTS 16
/* Attempts of peers that nobody has looked at; more are dropped. */
#define ALS_TURN_MAX_ATTEMPTS 32

typedef enum
{
  ALS_TURN_STATE_IDLE,
  ALS_TURN_STATE_ALLOCATING,
  ALS_TURN_STATE_ALLOCATED,
  ALS_TURN_STATE_REFUSED, /* no relay; the connection still holds our endpoint */
  ALS_TURN_STATE_LEAVING,
  ALS_TURN_STATE_LEFT,    /* the connection may be closed */
  ALS_TURN_STATE_FAILED,  /* it must be */
} AlsTurnState;

typedef enum
{
  ALS_TURN_EVENT_ALLOCATED,          /* the relayed address is there, and our endpoint */
  ALS_TURN_EVENT_REFUSED,            /* error; ENDPOINT or NO_ENDPOINT follows */
  ALS_TURN_EVENT_ENDPOINT,
  ALS_TURN_EVENT_NO_ENDPOINT,        /* error */
  ALS_TURN_EVENT_PERMITTED,          /* peer; once for each als_turn_session_permit () */
  ALS_TURN_EVENT_PERMISSION_REFUSED, /* peer, error; also when it cannot be renewed */
  ALS_TURN_EVENT_CONNECTION,         /* peer, connection_id, bind_by_us, is_incoming */
  ALS_TURN_EVENT_CONNECT_REFUSED,    /* peer, error */
  ALS_TURN_EVENT_LEFT,
  ALS_TURN_EVENT_FAILED,             /* error */
} AlsTurnEventType;

typedef struct
{
  AlsTurnEventType type;
  AlsStunAddress peer;
  uint32_t connection_id;
  int64_t bind_by_us;
  gboolean is_incoming;
  GError *error;        /* (nullable): ALS_TURN_ERROR */
} AlsTurnEvent;

void als_turn_event_free (AlsTurnEvent *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnEvent, als_turn_event_free)

typedef struct _AlsTurnSession AlsTurnSession;

/* USERNAME, PASSWORD: (nullable). FAMILY of the relayed address, NONE: as the server likes. */
AlsTurnSession       *als_turn_session_new          (const char *username, const char *password,
                                                     AlsStunFamily family);
void                  als_turn_session_free         (AlsTurnSession *self);
/* The connection is there (TLS included). */
void                  als_turn_session_start        (AlsTurnSession *self, int64_t now_us);
/* The same, but asks for our endpoint only: REFUSED without an event, then ENDPOINT or
 * NO_ENDPOINT. */
void                  als_turn_session_start_binding (AlsTurnSession *self, int64_t now_us);
/* Asks for an allocation (once more): another family, or later. FALSE unless REFUSED. */
gboolean              als_turn_session_allocate     (AlsTurnSession *self, AlsStunFamily family,
                                                     int64_t now_us);
void                  als_turn_session_feed         (AlsTurnSession *self, const uint8_t *data,
                                                     size_t len, int64_t now_us);
/* The connection has ended. */
void                  als_turn_session_close        (AlsTurnSession *self);
/* Whoever performs it waits no longer for an answer: FAILED. */
void                  als_turn_session_give_up      (AlsTurnSession *self);
void                  als_turn_session_poll         (AlsTurnSession *self, int64_t now_us);
/* INT64_MAX: nothing is waited for. */
int64_t               als_turn_session_get_deadline (const AlsTurnSession *self);
/* To be written, in order; call until NULL after each call above and below. (transfer full) */
GBytes               *als_turn_session_take_output  (AlsTurnSession *self);
/* (transfer full) (nullable) */
AlsTurnEvent         *als_turn_session_take_event   (AlsTurnSession *self);

/* Lets PEER's address (the port does not count) connect to the relayed address and be connected
 * to; renewed as long as the allocation lives. FALSE without an allocation or with too many. */
gboolean              als_turn_session_permit       (AlsTurnSession *self,
                                                     const AlsStunAddress *peer, int64_t now_us);
/* FALSE without an allocation, with too many, or with no such peer possible. */
gboolean              als_turn_session_connect      (AlsTurnSession *self,
                                                     const AlsStunAddress *peer, int64_t now_us);
/* Gives the allocation back. LEFT follows, at once or after the server's answer. */
void                  als_turn_session_leave        (AlsTurnSession *self, int64_t now_us);

AlsTurnState          als_turn_session_get_state    (const AlsTurnSession *self);
/* Family NONE while unknown. */
const AlsStunAddress *als_turn_session_get_relayed  (const AlsTurnSession *self);
const AlsStunAddress *als_turn_session_get_endpoint (const AlsTurnSession *self);
/* After ALTERNATE_SERVER. Whoever follows it counts the redirections. */
const AlsStunAddress *als_turn_session_get_alternate (const AlsTurnSession *self);
/* For AlsTurnData. (transfer none) */
const AlsStunAuth    *als_turn_session_get_auth     (const AlsTurnSession *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnSession, als_turn_session_free)

G_END_DECLS
