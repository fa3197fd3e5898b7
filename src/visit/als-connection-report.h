/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Why this path? What the connection page, `alongside diagnose` and support
 * are told: both networks, every path that was tried, in plain words. Holds no
 * secret; addresses only of our own network and of the path in use. */

#pragma once

#include <gio/gio.h>
#include "path/als-network-probe.h"
#include "path/als-path.h"

G_BEGIN_DECLS

/* How paths come about; a method yields paths of one kind. On the wire in
 * AlsPeerMessage. */
typedef enum
{
  ALS_METHOD_SIGNAL_RELAY,
  ALS_METHOD_TURN_TCP,
  ALS_METHOD_TURN_UDP,
  ALS_METHOD_ICE,         /* direct-udp by libnice */
  ALS_METHOD_UDP_PUNCH,   /* direct-udp, birthday manner */
  ALS_METHOD_TCP_PUNCH,   /* direct-tcp */
  ALS_METHOD_LAN,         /* direct-tcp found by multicast */
  ALS_N_METHODS,
} AlsPathMethod;

AlsPathKind als_path_method_get_kind  (AlsPathMethod method);
const char *als_path_method_to_string (AlsPathMethod method);
/* A few words for people, such as "Direct TCP connection"; translated. */
const char *als_path_method_get_title (AlsPathMethod method);

typedef enum
{
  ALS_ATTEMPT_OFF,        /* not possible or not allowed; problem says why */
  ALS_ATTEMPT_TRYING,
  ALS_ATTEMPT_STANDBY,    /* works, and is not used now */
  ALS_ATTEMPT_IN_USE,
  ALS_ATTEMPT_FAILED,     /* will be tried again */
} AlsAttemptState;

typedef struct
{
  AlsPathMethod method;
  AlsAttemptState state;
  AlsPathReport report;
  gboolean is_lan;
  int64_t rtt_us;         /* 0 unknown */
  uint64_t rate;          /* bytes a second, 0 unknown */
  uint32_t mtu;           /* UDP payload, 0 unknown */
  guint n_attempts;
} AlsConnectionAttempt;

/* Immutable once told. */
typedef struct
{
  gatomicrefcount refs;
  AlsNetworkReport *ours;    /* (nullable): not known yet */
  AlsNetworkReport *theirs;  /* (nullable): likewise */
  guint n_attempts;
  AlsConnectionAttempt attempts[ALS_N_METHODS]; /* best first */
} AlsConnectionReport;

#define ALS_TYPE_CONNECTION_REPORT (als_connection_report_get_type ())
GType                als_connection_report_get_type (void) G_GNUC_CONST;
AlsConnectionReport *als_connection_report_new   (void);
AlsConnectionReport *als_connection_report_ref   (AlsConnectionReport *self);
void                 als_connection_report_unref (AlsConnectionReport *self);

/* One line on a network for people, translated: NAME is for programs. */
typedef struct
{
  const char *name;  /* "udp", "tcp", "port-mapping", ... */
  const char *title;
  char *sentence;
} AlsNetworkFact;

void       als_network_fact_free          (AlsNetworkFact *self);
/* (element-type AlsNetworkFact) (transfer full) */
GPtrArray *als_network_report_list_facts  (const AlsNetworkReport *self);

/* "in-use", "standby", ... */
const char *als_attempt_state_to_string   (AlsAttemptState state);
/* The attempt that carries our own sending. (transfer none) (nullable) */
const AlsConnectionAttempt *als_connection_report_get_used (const AlsConnectionReport *self);

/* Sentences for people, translated. (transfer full) */
char *als_connection_attempt_describe (const AlsConnectionAttempt *self);
/* What would make the connection better, and what to do for it. (transfer full) (nullable) */
char *als_connection_report_advise    (const AlsConnectionReport *self);
/* The whole as text to be copied, and as one JSON object. (transfer full) */
char *als_connection_report_to_text   (const AlsConnectionReport *self);
char *als_connection_report_to_json   (const AlsConnectionReport *self);

/* Why TEXT is no STUN or TURN server: ERROR of als_ice_uri_parse (). Holds no login. (transfer full) */
char *als_connection_describe_bad_server (const char *text, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsConnectionReport, als_connection_report_unref)

G_END_DECLS
