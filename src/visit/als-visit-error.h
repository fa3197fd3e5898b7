/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a person is told: each code is one sentence of ui/als-ui-errors.c and
 * one line of the CLI. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ALS_VISIT_ERROR (als_visit_error_quark ())
GQuark als_visit_error_quark (void);

typedef enum
{
  ALS_VISIT_ERROR_OFFLINE,           /* this computer has no network */
  ALS_VISIT_ERROR_SERVER,            /* the rendezvous server does not answer */
  ALS_VISIT_ERROR_SERVER_VERSION,
  ALS_VISIT_ERROR_SERVER_PROTOCOL,   /* the server speaks nonsense */
  ALS_VISIT_ERROR_BAD_CODE,          /* what was typed is no code: see message */
  ALS_VISIT_ERROR_OWN_CODE,
  ALS_VISIT_ERROR_UNKNOWN_CODE,      /* nobody waits under that number */
  ALS_VISIT_ERROR_WRONG_CODE,        /* the secret half is wrong: tries-left */
  ALS_VISIT_ERROR_BURNT_CODE,        /* no tries are left: ask for a new code */
  ALS_VISIT_ERROR_BUSY,              /* somebody else is with that person */
  ALS_VISIT_ERROR_RATE_LIMITED,
  ALS_VISIT_ERROR_DECLINED,
  ALS_VISIT_ERROR_NO_ANSWER,         /* Allow was not pressed in time */
  ALS_VISIT_ERROR_PEER_LEFT,         /* before or after it began; ended by the other side */
  ALS_VISIT_ERROR_PEER_LOST,         /* no way to the other side for too long */
  ALS_VISIT_ERROR_PEER_VERSION,
  ALS_VISIT_ERROR_PEER_PROTOCOL,
  ALS_VISIT_ERROR_STOPPED,           /* ended here */
  ALS_VISIT_ERROR_SCREEN,            /* the screen cannot be shared: see message */
  ALS_VISIT_ERROR_BAD_INVITATION,    /* what was pasted is no invitation or reply, or not this one's */
  ALS_VISIT_ERROR_OLD_INVITATION,    /* its time is over, or it was used */
  ALS_VISIT_ERROR_NO_WAY,            /* without a server: both tried at many marks and never met */
} AlsVisitError;

G_END_DECLS
