/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The link over what is ordered and reliable: messages, as the relay through the
 * rendezvous server gives them (design §4, "On signal-relay"), or a byte stream
 * ("On TCP"). Paces itself to the stated rate, with no more unacknowledged by the
 * peer than the stated backlog; where nothing is stated, to what the path takes
 * without a queue. Datagrams beyond that are dropped here. Pure. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

/* (transfer full): free with als_link_free (). */
AlsLink *als_message_link_new (const AlsLinkConfig *config, AlsLinkOutput output,
                               gpointer output_data, int64_t now_us);

G_END_DECLS
