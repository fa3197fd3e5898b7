/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A rendezvous server in this process that misbehaves on request. */

#pragma once

#include <libsoup/soup.h>
#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

typedef struct
{
  /* How it behaves; may be changed at any time. */
  guint16 version;                 /* in WELCOME */
  guint16 heartbeat_s;
  gboolean no_welcome;
  gboolean no_pong;
  guint status;                    /* HTTP; 0: upgrade */
  AlsSignalCode join_error;        /* 0: WAITING */
  AlsSignalCode hello_error;       /* 0: WELCOME */
  GBytes *after_welcome;           /* (nullable): sent as it is */
  gboolean after_welcome_is_text;

  /* What it has seen. */
  guint n_connections;
  guint n_heard[64];               /* by type */
  gboolean had_token;              /* in the last REGISTER */
  GBytes *last_payload;

  SoupServer *server;
  SoupWebsocketConnection *socket; /* the latest, (nullable) */
  char *uri;
  guint number;                    /* the one given out last */
} AlsFakeRendezvous;

/* CERTIFICATE: (nullable): for TLS. */
AlsFakeRendezvous *als_fake_rendezvous_new  (GTlsCertificate *certificate);
void               als_fake_rendezvous_free (AlsFakeRendezvous *self);
void               als_fake_rendezvous_say  (AlsFakeRendezvous *self,
                                             const AlsSignalMessage *message);
/* Says one of TYPE with plausible fields. */
void               als_fake_rendezvous_say_type (AlsFakeRendezvous *self, AlsSignalType type);
/* Cuts the connection without a word. */
void               als_fake_rendezvous_drop (AlsFakeRendezvous *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsFakeRendezvous, als_fake_rendezvous_free)

G_END_DECLS
