/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One attempt at paths of one kind between the two sides: how carriers come
 * about. Each side makes its own half, and the halves talk through messages
 * that the owner carries, sealed and in order.
 *
 * Lives in the thread it was made in (the engine's), whose thread-default
 * context it uses. The carriers it yields may live in others.
 *
 *   made → start → message … → connected … → settle → close
 *
 * Signals:
 *   local-message (GBytes *)      for the peer's half
 *   connected     (AlsCarrier *)  bytes flow. Several times where several connections come
 *                                 up (TCP): each may be a stranger's until its hello
 *   failed        (GError *)      ALS_PATH_ERROR; final. Also after connected (the carrier
 *                                 tells so as well)
 */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"

G_BEGIN_DECLS

#define ALS_PATH_ERROR (als_path_error_quark ())
GQuark als_path_error_quark (void);

/* Why a path did not come about or is not used, as the connection page and
 * `diagnose` tell it. */
typedef enum
{
  ALS_PATH_PROBLEM_NONE,
  ALS_PATH_PROBLEM_NO_SERVER,          /* none is known that this kind needs */
  ALS_PATH_PROBLEM_SERVER_UNREACHABLE, /* none of them answered */
  ALS_PATH_PROBLEM_SERVER_REFUSED,     /* login, quota, permission: it said no */
  ALS_PATH_PROBLEM_NO_ENDPOINT,        /* our own public endpoint could not be learned */
  ALS_PATH_PROBLEM_PEER_ENDPOINT,      /* the other side has none to tell */
  ALS_PATH_PROBLEM_RESETS,             /* the other network answers early connections with resets */
  ALS_PATH_PROBLEM_SILENCE,            /* nothing came through */
  ALS_PATH_PROBLEM_UNPREDICTABLE,      /* both networks choose ports that cannot be foretold */
  ALS_PATH_PROBLEM_PROXY,              /* only a proxy leads out of this network */
  ALS_PATH_PROBLEM_PEER_GAVE_UP,       /* the other side said that it failed there */
  ALS_PATH_PROBLEM_STRANGERS,          /* connections came, but none proved to be the other side */
  ALS_PATH_PROBLEM_DIED,               /* it worked and then went silent */
  ALS_PATH_PROBLEM_MUCH_WORSE,         /* it works, but another is much better (design §4) */
  ALS_PATH_PROBLEM_NOT_ALLOWED,        /* by a setting, here or there */
  ALS_PATH_PROBLEM_INTERNAL,           /* a socket call failed in a way that is nobody's fault */
  ALS_N_PATH_PROBLEMS,
} AlsPathProblem;

/* Short words for logs and JSON: "resets", "silence", ... */
const char *als_path_problem_to_string (AlsPathProblem problem);

/* What happened so far. */
typedef struct
{
  AlsPathProblem problem; /* as it stands; NONE while trying or connected */
  guint tries;            /* connections, checks or probes that were begun */
  guint resets;           /* answers that said no */
  guint strangers;        /* came in and were not the other side */
  int64_t took_us;        /* from start to the first `connected`; 0: not yet */
} AlsPathReport;

#define ALS_TYPE_PATH (als_path_get_type ())
G_DECLARE_DERIVABLE_TYPE (AlsPath, als_path, ALS, PATH, GObject)

struct _AlsPathClass
{
  GObjectClass parent_class;

  void (*start)          (AlsPath *self);
  void (*remote_message) (AlsPath *self, const uint8_t *data, size_t len);
  void (*settle)         (AlsPath *self); /* (nullable) */
  void (*close)          (AlsPath *self);
  void (*get_report)     (AlsPath *self, AlsPathReport *report); /* (nullable) */
};

void als_path_start          (AlsPath *self);
/* From the peer, in order, before or after start. Hostile: malformed ones are ignored with a log
 * line, and their number and size are bounded. */
void als_path_remote_message (AlsPath *self, const uint8_t *data, size_t len);
/* A link over one of its carriers is ready: no more tries, no more listening; what its carriers
 * need (threads, control connections) stays until close. */
void als_path_settle         (AlsPath *self);
/* Ends all of it, carriers included where they cannot live by themselves. No signal after it
 * returns. Idempotent; also done by dispose. */
void als_path_close          (AlsPath *self);
void als_path_get_report     (AlsPath *self, AlsPathReport *report);

/* For subclasses. After als_path_fail () nothing more is emitted. */
void     als_path_send       (AlsPath *self, GBytes *message);
void     als_path_connected  (AlsPath *self, AlsCarrier *carrier);
/* MESSAGE: for logs; `strangers` words must not get in. */
void     als_path_fail       (AlsPath *self, AlsPathProblem problem, const char *message);
gboolean als_path_is_over    (AlsPath *self); /* failed or closed */

G_END_DECLS
