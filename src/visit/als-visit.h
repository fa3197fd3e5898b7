/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One visit as a person sees it: code, consent, screen, files, goodbye. Made
 * and used in one thread (the window's or the CLI's, its thread-default
 * context); what it does happens in the engine's thread, and comes back as
 * property changes and signals in the thread that made it. */

#pragma once

#include <gio/gio.h>
#include "media/als-screen-receiver.h"
#include "path/als-path-kind.h"
#include "transfer/als-transfer.h"
#include "visit/als-connection-report.h"
#include "visit/als-visit-error.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_VISIT_IDLE,
  ALS_VISIT_REACHING_SERVER,    /* both: connecting to the rendezvous server */
  ALS_VISIT_CODE_READY,         /* inviter: the code is shown, waits for a joiner */
  ALS_VISIT_LOOKING,            /* joiner: waits for the inviter behind the number */
  ALS_VISIT_CHECKING,           /* both: code is being proved */
  ALS_VISIT_ASKING,             /* inviter: has to answer; joiner: waits for that */
  ALS_VISIT_ACTIVE,
  ALS_VISIT_RECONNECTING,       /* was active; no path at the moment */
  ALS_VISIT_ENDED,              /* see error */
} AlsVisitState;

typedef enum
{
  ALS_VISIT_NOTHING,            /* not answered yet, or declined */
  ALS_VISIT_FILES_ONLY,
  ALS_VISIT_SEE_SCREEN,
} AlsVisitPermission;

typedef enum
{
  ALS_VISIT_REACH_ANYWHERE,     /* through a configured server */
  ALS_VISIT_REACH_NETWORK,      /* private server, listening to the local network */
  ALS_VISIT_REACH_MACHINE,      /* private server on loopback */
} AlsVisitReach;

GType als_visit_state_get_type      (void) G_GNUC_CONST;
GType als_visit_permission_get_type (void) G_GNUC_CONST;
GType als_visit_reach_get_type      (void) G_GNUC_CONST;
#define ALS_TYPE_VISIT_STATE (als_visit_state_get_type ())
#define ALS_TYPE_VISIT_PERMISSION (als_visit_permission_get_type ())
#define ALS_TYPE_VISIT_REACH (als_visit_reach_get_type ())

typedef struct
{
  const char *const *servers;   /* URIs; NULL or empty: the built-in one, or else a private server */
  gboolean listen;              /* a private server listens to the local network, too */
  guint allowed_kinds;          /* set of 1 << AlsPathKind; 0: all */
  gboolean loopback;            /* paths on 127.0.0.1 only (tests) */
  const char *name;             /* shown to the other side once the code is proved; NULL: the user's real name */
  const char *download_folder;  /* NULL: the user's Downloads */
  AlsScreenKind screen;         /* what the inviter shares */
  const char *display;          /* X11; NULL: $DISPLAY */
  const char *const *ice_servers; /* als_ice_uri_parse ()'s forms; beside those of the rendezvous server */
  uint16_t local_port;          /* TCP, fixed by the user; 0: any */
  uint16_t last_local_port;     /* the one that worked last, tried first; 0: none */
  gboolean no_port_mapping;
  gboolean no_lan;              /* do not look for the other side on the local network */
  const char *const *ntp_servers; /* HOST or HOST:PORT, for invitations; NULL: none */
  GProxyResolver *proxies;      /* tests; NULL: the system's */
  GTlsDatabase *trust;          /* tests; NULL: the system's */
} AlsVisitConfig;

/* What was pasted. */
typedef enum
{
  ALS_VISIT_TEXT_OTHER,
  ALS_VISIT_TEXT_INVITATION,
  ALS_VISIT_TEXT_REPLY,
} AlsVisitText;

/* A transfer as the visit's thread sees it. */
#define ALS_TYPE_VISIT_TRANSFER (als_visit_transfer_get_type ())
G_DECLARE_FINAL_TYPE (AlsVisitTransfer, als_visit_transfer, ALS, VISIT_TRANSFER, GObject)

/* Signals: changed (). */
void          als_visit_transfer_get_info  (AlsVisitTransfer *self, AlsTransferInfo *info);
const GError *als_visit_transfer_get_error (AlsVisitTransfer *self); /* nullable */
const char   *als_visit_transfer_get_name  (AlsVisitTransfer *self, guint i);
guint64       als_visit_transfer_get_size  (AlsVisitTransfer *self, guint i);
GFile        *als_visit_transfer_get_saved (AlsVisitTransfer *self, guint i); /* nullable */
/* Pressed by a person: incoming, state OFFERED. */
void          als_visit_transfer_accept    (AlsVisitTransfer *self);
void          als_visit_transfer_decline   (AlsVisitTransfer *self);
void          als_visit_transfer_cancel    (AlsVisitTransfer *self);

#define ALS_TYPE_VISIT (als_visit_get_type ())
G_DECLARE_FINAL_TYPE (AlsVisit, als_visit, ALS, VISIT, GObject)

/* Properties (read-only, notify in this thread):
 *   state          AlsVisitState
 *   is-inviter     gboolean
 *   code           char *          "482 913 607 154", inviter, from CODE_READY on; NULL once used; secret
 *   code-expires   gint64          g_get_real_time () µs, 0: not shown
 *   reach          AlsVisitReach
 *   tries-left     guint           joiner: for this number
 *   peer-name      char *          nullable; checked text from the other side
 *   permission     AlsVisitPermission  what the inviter allowed
 *   is-sharing     gboolean        our screen is being seen
 *   path-kind      AlsPathKind (as guint)
 *   path-remote    char *          nullable, endpoint as text
 *   rtt-us         gint64          0 unknown
 *   problem        GError *        a passing trouble (server unreachable, retrying); NULL when fine
 *   error          GError *        why it ENDED
 *   screen         AlsScreenReceiver *  nullable: the picture we see
 *   transfers      GListModel of AlsVisitTransfer, newest last
 *   connection     AlsConnectionReport *  nullable; a new one whenever something in it changed
 *   invitation     char *          nullable; text 1, to be copied, from CODE_READY on; NULL once used
 *   reply          char *          nullable; text 2, to be copied
 *   next-mark-us   gint64          g_get_monotonic_time (): when both sides try next, LOOKING or RECONNECTING; 0: not
 *   n-marks        guint           how often both tried
 *   is-clock-checked gboolean      the marks are by a clock that an NTP server corrected
 *   known-ice-servers GStrv        nullable; the last list from a rendezvous server, without logins, as als_ice_uri_parse () takes it
 *   local-port     guint           TCP port that a direct connection came about from, 0: none (yet)
 * Signals:
 *   transfer-added (AlsVisitTransfer *)
 *   wrong-code     (guint tries_left)   inviter and joiner: a try failed, it goes on
 *   measured       (gint64 round_trip_us) see als_visit_measure ()
 */
AlsVisit           *als_visit_new               (const AlsVisitConfig *config);
void                als_visit_invite            (AlsVisit *self);
/* FALSE: TEXT is no code (ALS_VISIT_ERROR_BAD_CODE); nothing was started. After ENDED with a wrong, unknown or busy code, or while IDLE, it may be called (again). */
gboolean            als_visit_join              (AlsVisit *self, const char *text, GError **error);
/* Invitations without a server: two texts that people carry by any chat, and six digits that they speak.
 *
 * Inviter: REACHING_SERVER while our addresses are learned; CODE_READY with `invitation`, and in `code` the
 * six digits to be spoken, once the reply is pasted; LOOKING from als_visit_paste_reply () on, with
 * `next-mark-us` and `n-marks`. Joiner: REACHING_SERVER, then LOOKING with `reply`. Both go on to ASKING when
 * they met. Three minutes of marks without a meeting end it with ALS_VISIT_ERROR_NO_WAY. */
void                als_visit_make_invitation   (AlsVisit *self);
AlsVisitText        als_visit_classify_text     (const char *text);
/* FALSE: ALS_VISIT_ERROR_BAD_INVITATION or BAD_CODE; nothing was started. TEXT: surrounding words and line
 * breaks do no harm. DIGITS: the six spoken ones. */
gboolean            als_visit_paste_invitation  (AlsVisit *self, const char *text, const char *digits, GError **error);
/* FALSE: ALS_VISIT_ERROR_BAD_INVITATION (it is none, or another invitation's); it may be called again. A reply
 * with wrong digits ends the visit: ALS_VISIT_ERROR_WRONG_CODE. */
gboolean            als_visit_paste_reply       (AlsVisit *self, const char *text, GError **error);
/* TEXT is the code that this visit shows at the moment: a window asks this of its own visits before it
 * joins (ALS_VISIT_ERROR_OWN_CODE). */
gboolean            als_visit_shows_code        (AlsVisit *self, const char *text);
/* Inviter in state ASKING: pressed by a person. NOTHING declines. */
void                als_visit_answer            (AlsVisit *self, AlsVisitPermission permission);
/* Inviter: stop or start showing the screen while ACTIVE and allowed. */
void                als_visit_set_sharing       (AlsVisit *self, gboolean sharing);
/* FILES: (element-type GFile). */
void                als_visit_send_files        (AlsVisit *self, GPtrArray *files);
/* Cancels whatever it is doing, in any state; ENDED with STOPPED follows within 200 ms. */
void                als_visit_stop              (AlsVisit *self);
void                als_visit_set_allowed_kinds (AlsVisit *self, guint kinds);
/* While ACTIVE: sends a small message in the control lane every INTERVAL_US and tells how long each took to
 * come back, in `measured`. For figures. */
void                als_visit_measure           (AlsVisit *self, gint64 interval_us);

AlsVisitState       als_visit_get_state         (AlsVisit *self);
gboolean            als_visit_get_is_inviter    (AlsVisit *self);
const char         *als_visit_get_code          (AlsVisit *self);
char               *als_visit_dup_code_uri      (AlsVisit *self); /* "alongside:…", nullable */
gint64              als_visit_get_code_expires  (AlsVisit *self);
AlsVisitReach       als_visit_get_reach         (AlsVisit *self);
guint               als_visit_get_tries_left    (AlsVisit *self);
const char         *als_visit_get_peer_name     (AlsVisit *self);
AlsVisitPermission  als_visit_get_permission    (AlsVisit *self);
gboolean            als_visit_get_is_sharing    (AlsVisit *self);
AlsPathKind         als_visit_get_path_kind     (AlsVisit *self);
const char         *als_visit_get_path_remote   (AlsVisit *self);
gint64              als_visit_get_rtt_us        (AlsVisit *self);
const GError       *als_visit_get_problem       (AlsVisit *self);
const GError       *als_visit_get_error         (AlsVisit *self);
AlsScreenReceiver  *als_visit_get_screen        (AlsVisit *self);
GListModel         *als_visit_get_transfers     (AlsVisit *self);
AlsConnectionReport *als_visit_get_connection   (AlsVisit *self); /* (transfer none) (nullable) */
const char         *als_visit_get_invitation    (AlsVisit *self);
const char         *als_visit_get_reply         (AlsVisit *self);
gint64              als_visit_get_next_mark_us  (AlsVisit *self);
guint               als_visit_get_n_marks       (AlsVisit *self);
gboolean            als_visit_get_is_clock_checked (AlsVisit *self);
const char *const  *als_visit_get_known_ice_servers (AlsVisit *self);
guint               als_visit_get_local_port    (AlsVisit *self);

G_END_DECLS
