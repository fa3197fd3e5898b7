/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A visit without a network: the functions of visit/als-visit.h (and the ones
 * of the media and transfer layers that windows use), put into any state by
 * test code. Linked instead of the real ones. */

#pragma once

#include "visit/als-visit.h"

G_BEGIN_DECLS

/* Whether an inviting visit shows ALS_FAKE_CODE by itself. On by default. */
#define ALS_FAKE_CODE "482 913 607 154"
extern gboolean als_fake_visit_auto_code;

/* What stands for a text of an invitation. */
#define ALS_FAKE_INVITATION "alongside-invitation:BgAAq1r4sZ0p3yQ7vN9oXk5cT2mWb8uHdLjEfGiKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIjKlMnOpQrStUvWxYz"
#define ALS_FAKE_REPLY "alongside-reply:CwAAf7Gk2LmPqR9sTuVwXyZ0123456789-_AbCdEfGhIjKlMnOpQrStUvWxYzBgAAq1r4sZ0p3yQ7vN9oXk5cT2"

void als_fake_visit_set_state      (AlsVisit *self, AlsVisitState state);
/* CODE: NULL: none. LIFETIME_S: from now. */
void als_fake_visit_set_code       (AlsVisit *self, const char *code, guint lifetime_s);
void als_fake_visit_set_reach      (AlsVisit *self, AlsVisitReach reach);
void als_fake_visit_set_peer       (AlsVisit *self, const char *name);
void als_fake_visit_set_permission (AlsVisit *self, AlsVisitPermission permission);
void als_fake_visit_set_sharing    (AlsVisit *self, gboolean sharing);
void als_fake_visit_set_path       (AlsVisit *self, AlsPathKind kind, const char *remote,
                                    gint64 rtt_us);
/* REPORT: (nullable), a reference is taken. */
void als_fake_visit_set_connection (AlsVisit *self, AlsConnectionReport *report);
/* The inviting side has its text; DIGITS are to be spoken. */
void als_fake_visit_set_invitation (AlsVisit *self, const char *digits);
/* The joining side has its text, and tries. */
void als_fake_visit_set_reply      (AlsVisit *self);
void als_fake_visit_set_marks      (AlsVisit *self, guint n, gint64 next_us, gboolean is_clock_checked);
/* -1: none. */
void als_fake_visit_set_problem    (AlsVisit *self, int code);
void als_fake_visit_end            (AlsVisit *self, AlsVisitError code);
void als_fake_visit_wrong_code     (AlsVisit *self, guint tries_left);
void als_fake_visit_set_tries_left (AlsVisit *self, guint tries_left);
/* A picture of WIDTH × HEIGHT in stripes, as the other side's screen. */
void als_fake_visit_show_screen    (AlsVisit *self, guint width, guint height);
void als_fake_visit_open_screen    (AlsVisit *self); /* no frame yet */

/* NAMES: NULL-terminated. (transfer none) */
AlsVisitTransfer *als_fake_visit_add_transfer (AlsVisit *self, gboolean incoming,
                                               const char *const *names);
void als_fake_transfer_progress (AlsVisitTransfer *self, guint64 done, guint64 rate,
                                 gint64 seconds_left);
void als_fake_transfer_done     (AlsVisitTransfer *self);
void als_fake_transfer_fail     (AlsVisitTransfer *self, AlsTransferError code);

/* What the windows asked for. */
int         als_fake_visit_get_answer  (AlsVisit *self);  /* AlsVisitPermission, -1: none yet */
guint       als_fake_visit_get_n_sent  (AlsVisit *self);  /* files */
const char *als_fake_visit_get_joined  (AlsVisit *self);  /* nullable */
guint       als_fake_visit_get_kinds   (AlsVisit *self);
const char *als_fake_visit_get_pasted  (AlsVisit *self);  /* nullable */
const char *als_fake_visit_get_digits  (AlsVisit *self);  /* nullable */
const char *const *als_fake_visit_get_ice_servers (AlsVisit *self);
gboolean    als_fake_visit_get_no_lan  (AlsVisit *self);

G_END_DECLS
