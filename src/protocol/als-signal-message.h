/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages between an app and the rendezvous server, one in each binary
 * WebSocket message (subprotocol "alongside.1"). Bytes to structs and back.
 *
 * app to server            server to app           both ways
 * HELLO                    WELCOME                 PEER_MESSAGE
 * REGISTER, UNREGISTER     REGISTERED              RELAY
 * JOIN, MEET               WAITING, PAIRED         UNPAIR
 *                          ERROR                   PING, PONG
 *
 * A connection says HELLO once, first. Then it is free; REGISTER makes it the
 * waiting inviter of a number, JOIN and MEET ask for a partner; PAIRED makes
 * two connections partners; UNPAIR or the loss of either ends that, and an
 * inviter that has not said UNREGISTER waits again under the same number. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_SIGNAL_PROTOCOL_VERSION 1
#define ALS_SIGNAL_SUBPROTOCOL "alongside.1"
#define ALS_SIGNAL_MAX_PEER_MESSAGE (16 * 1024)
#define ALS_SIGNAL_MAX_RELAY (32 * 1024)
/* Longest message of any type. */
#define ALS_SIGNAL_MAX_MESSAGE (ALS_SIGNAL_MAX_RELAY + 64)
#define ALS_SIGNAL_TOKEN_BYTES 16
#define ALS_SIGNAL_MEETING_BYTES 16
#define ALS_SIGNAL_MAX_SERVERS 8
/* A word in HELLO's text, behind the name: who says it takes a list of servers in WELCOME. */
#define ALS_SIGNAL_TAKES_SERVERS "servers-in-welcome"
/* Another: who says it takes in PAIRED that the TURN servers let foreign peers in. */
#define ALS_SIGNAL_TAKES_FOREIGN_PEERS "foreign-peers-in-paired"
/* Of an address in digits. */
#define ALS_SIGNAL_MAX_ADDRESS 45

typedef enum
{
  ALS_SIGNAL_HELLO = 1,        /* version, text (software name and version, then words) */
  ALS_SIGNAL_REGISTER = 2,     /* has_token, token: keep the number it stands for */
  ALS_SIGNAL_UNREGISTER = 3,   /* gives the number back; a pairing stays */
  ALS_SIGNAL_JOIN = 4,         /* number */
  ALS_SIGNAL_MEET = 5,         /* meeting_id, is_inviter */
  ALS_SIGNAL_PEER_MESSAGE = 16,/* payload, opaque */
  ALS_SIGNAL_RELAY = 17,       /* payload, opaque */
  ALS_SIGNAL_UNPAIR = 18,      /* reason */
  ALS_SIGNAL_PING = 19,        /* cookie */
  ALS_SIGNAL_PONG = 20,        /* cookie */
  ALS_SIGNAL_WELCOME = 32,     /* version, heartbeat_s: a connection silent for three of them is closed;
                                * servers: public ones, without logins, only for who takes them */
  ALS_SIGNAL_REGISTERED = 33,  /* number, token, keep_s: how long the token keeps the number while away */
  ALS_SIGNAL_WAITING = 34,     /* keep_s: how long the server waits for the other side */
  ALS_SIGNAL_PAIRED = 35,      /* relay_rate, relay_backlog, servers; where foreign_peers, and only for who takes
                                * it, text: the address this client comes from, empty if that is not known */
  ALS_SIGNAL_ERROR = 63,       /* code, text */
} AlsSignalType;

typedef enum
{
  ALS_SIGNAL_UNPAIR_LEFT = 0,        /* the other side said UNPAIR */
  ALS_SIGNAL_UNPAIR_LOST = 1,        /* its connection broke */
  ALS_SIGNAL_UNPAIR_RELAY_ABUSE = 2, /* only ends the relay: rate or backlog was breached */
} AlsSignalUnpairReason;

/* In ERROR. After those marked * the server closes the connection. */
typedef enum
{
  ALS_SIGNAL_CODE_BAD_MESSAGE = 1,   /* * does not parse, or too long */
  ALS_SIGNAL_CODE_BAD_STATE = 2,     /* * not now */
  ALS_SIGNAL_CODE_BAD_VERSION = 3,   /* * speaks another version */
  ALS_SIGNAL_CODE_NO_SUCH_NUMBER = 4,/* nobody came in time */
  ALS_SIGNAL_CODE_BUSY = 5,          /* somebody else is with that inviter */
  ALS_SIGNAL_CODE_RATE_LIMITED = 6,  /* too many tries from this address */
  ALS_SIGNAL_CODE_FULL = 7,          /* * the server can take no more */
  ALS_SIGNAL_CODE_SHUTTING_DOWN = 8, /* * */
  ALS_SIGNAL_CODE_IDLE = 9,          /* * silent for too long */
} AlsSignalCode;

typedef enum
{
  ALS_ICE_SERVER_STUN = 1,
  ALS_ICE_SERVER_TURN = 2,           /* UDP and TCP */
  ALS_ICE_SERVER_TURNS = 3,          /* TLS */
} AlsIceServerKind;

typedef struct
{
  AlsIceServerKind kind;
  char *host;
  uint16_t port;
  char *username;    /* (nullable) time-limited, coturn's REST form */
  char *credential;  /* (nullable) secret: never logged */
} AlsIceServer;

typedef struct
{
  AlsSignalType type;
  uint16_t version;
  uint32_t number;             /* 0 .. 999999 */
  gboolean has_token;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint8_t meeting_id[ALS_SIGNAL_MEETING_BYTES];
  gboolean is_inviter;
  GBytes *payload;
  uint8_t reason;
  uint64_t cookie;
  uint16_t heartbeat_s;
  uint32_t keep_s;
  uint32_t relay_rate;         /* bytes a second, each direction */
  uint32_t relay_backlog;      /* bytes */
  GPtrArray *servers;          /* (element-type AlsIceServer) (nullable) */
  gboolean foreign_peers;      /* the TURN servers let in who has no allocation there */
  uint16_t code;
  char *text;
} AlsSignalMessage;

#define ALS_SIGNAL_MESSAGE_ERROR (als_signal_message_error_quark ())
GQuark            als_signal_message_error_quark (void);

AlsSignalMessage *als_signal_message_new    (AlsSignalType type);
void              als_signal_message_free   (AlsSignalMessage *self);
AlsSignalMessage *als_signal_message_decode (const uint8_t *data, size_t len, GError **error);
/* NULL when a field is out of bounds. */
GBytes           *als_signal_message_encode (const AlsSignalMessage *self);
/* Of HELLO: TEXT (nullable) holds WORD. */
gboolean          als_signal_hello_has_word (const char *text, const char *word);
void              als_ice_server_free       (AlsIceServer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsSignalMessage, als_signal_message_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsIceServer, als_ice_server_free)

G_END_DECLS
