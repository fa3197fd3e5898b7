/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The engine's half of a visit: what AlsVisit shows is decided and done here.
 * Every function but als_visit_core_new () is called in the engine's thread;
 * what happens is told as AlsVisitUpdates through a mailbox. */

#pragma once

#include <gio/gio.h>
#include "base/als-mailbox.h"
#include "crypto/als-code.h"
#include "crypto/als-invitation.h"
#include "visit/als-visit.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_VISIT_UPDATE_SNAPSHOT,
  ALS_VISIT_UPDATE_TRANSFER,
  ALS_VISIT_UPDATE_WRONG_CODE,
  ALS_VISIT_UPDATE_MEASURED,
} AlsVisitUpdateType;

/* What the visit's thread is told; freed by als_visit_update_free (). */
typedef struct
{
  AlsVisitUpdateType type;

  /* SNAPSHOT: everything that AlsVisit has as a property. */
  AlsVisitState state;
  gboolean is_inviter;
  char *code;              /* secret, wiped when freed */
  char *code_uri;          /* secret, wiped when freed */
  gint64 code_expires_us;
  AlsVisitReach reach;
  guint tries_left;        /* also of WRONG_CODE */
  char *peer_name;
  AlsVisitPermission permission;
  gboolean is_sharing;
  AlsPathKind path_kind;
  char *path_remote;
  gint64 rtt_us;
  GError *problem;
  GError *error;
  AlsScreenReceiver *screen;
  AlsConnectionReport *connection; /* nullable */
  char *invitation;        /* nullable */
  char *reply;             /* nullable */
  gint64 next_mark_us;
  guint n_marks;
  gboolean is_clock_checked;
  char **known_ice_servers; /* nullable */
  guint local_port;

  /* TRANSFER */
  guint transfer_id;       /* from 1 on */
  AlsTransferInfo info;
  GError *transfer_error;
  guint n_files;           /* of the three arrays; 0: as before */
  char **names;
  guint64 *sizes;
  GFile **saved;           /* elements nullable */

  /* MEASURED: als_visit_core_measure ()'s round trips. */
  gint64 round_trip_us;
} AlsVisitUpdate;

void          als_visit_update_free (AlsVisitUpdate *self);

typedef struct _AlsVisitCore AlsVisitCore;

/* CONFIG is copied. UPDATES: (transfer none), takes AlsVisitUpdates. In any thread; no thread-default
 * context is used before the first other call. */
AlsVisitCore *als_visit_core_new           (const AlsVisitConfig *config, AlsMailbox *updates);
void          als_visit_core_free          (AlsVisitCore *self);
void          als_visit_core_invite        (AlsVisitCore *self);
/* CODE: consumed and wiped. */
void          als_visit_core_join          (AlsVisitCore *self, AlsCode *code);
void          als_visit_core_make_invitation (AlsVisitCore *self);
/* TEXT and DIGITS were checked. OFFER: (transfer full). */
void          als_visit_core_paste_invitation (AlsVisitCore *self, AlsInvitationOffer *offer,
                                               const char *digits);
void          als_visit_core_paste_reply   (AlsVisitCore *self, const char *text);
AlsVisitError als_core_invitation_error    (const GError *error);
void          als_visit_core_answer        (AlsVisitCore *self, AlsVisitPermission permission);
void          als_visit_core_set_sharing   (AlsVisitCore *self, gboolean sharing);
void          als_visit_core_send_files    (AlsVisitCore *self, GPtrArray *files);
void          als_visit_core_stop          (AlsVisitCore *self);
void          als_visit_core_set_allowed   (AlsVisitCore *self, guint kinds);
void          als_visit_core_accept        (AlsVisitCore *self, guint transfer_id);
void          als_visit_core_decline       (AlsVisitCore *self, guint transfer_id);
void          als_visit_core_cancel        (AlsVisitCore *self, guint transfer_id);
/* Sends a probe every INTERVAL_US over the control lane and tells each round trip. */
void          als_visit_core_measure       (AlsVisitCore *self, int64_t interval_us);

G_END_DECLS
