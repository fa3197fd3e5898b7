/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-path-link.h"

#include "transport/als-link-host.h"

struct _AlsPathLink
{
  AlsLink *link;
  const AlsPathLinkEvents *events; /* NULL: nobody listens any more */
  gpointer user_data;
  GMainContext *engine;
  gboolean is_lan;
  gboolean is_proved;
};

static void
prove (AlsPathLink *self)
{
  if (self->is_proved || self->events == NULL)
    return;
  self->is_proved = TRUE;
  self->events->proved (self, self->user_data);
}

static void
ready_cb (AlsLink *link, gpointer user_data)
{
  prove (user_data);
}

/* The other side was ready before us, and did not wait. Nobody else could have sealed this. From within
 * prove () on the events are the session's. */
static void
frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsPathLink *self = user_data;

  prove (self);
  if (link->events != NULL && link->events_data != self)
    link->events->frame (link, lane, data, len, link->events_data);
}

static void
datagram_cb (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsPathLink *self = user_data;

  prove (self);
  if (link->events != NULL && link->events_data != self)
    link->events->datagram (link, data, len, link->events_data);
}

static void
room_cb (AlsLink *link, gpointer user_data)
{
}

static void
closed_cb (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  AlsPathLink *self = user_data;

  if (self->events != NULL)
    self->events->disproved (self, end, self->user_data);
  als_path_link_free_later (self);
}

static const AlsLinkEvents link_events = { ready_cb, frame_cb, datagram_cb, room_cb, closed_cb };

AlsPathLink *
als_path_link_new (AlsCarrier *carrier, const AlsLinkConfig *config, GMainContext *engine,
                   const AlsPathLinkEvents *events, gpointer user_data)
{
  AlsPathLink *self = g_new0 (AlsPathLink, 1);

  self->events = events;
  self->user_data = user_data;
  self->engine = g_main_context_ref (engine);
  self->is_lan = als_carrier_is_lan (carrier);
  self->link = als_link_host_new (carrier, config, engine);
  als_link_set_events (self->link, &link_events, self);
  return self;
}

void
als_path_link_free (AlsPathLink *self)
{
  als_link_free (self->link);
  g_main_context_unref (self->engine);
  g_free (self);
}

static gboolean
free_cb (gpointer user_data)
{
  als_path_link_free (user_data);
  return G_SOURCE_REMOVE;
}

void
als_path_link_free_later (AlsPathLink *self)
{
  g_autoptr (GSource) idle = g_idle_source_new ();

  self->events = NULL;
  als_link_set_events (self->link, NULL, NULL);
  g_source_set_static_name (idle, "als-path-link-free");
  g_source_set_priority (idle, G_PRIORITY_DEFAULT);
  g_source_set_callback (idle, free_cb, self, NULL);
  g_source_attach (idle, self->engine);
}

AlsLink *
als_path_link_get_link (AlsPathLink *self)
{
  return self->link;
}

gboolean
als_path_link_is_proved (AlsPathLink *self)
{
  return self->is_proved;
}

gboolean
als_path_link_is_lan (AlsPathLink *self)
{
  return self->is_lan;
}

const char *
als_path_link_get_remote (AlsPathLink *self)
{
  return als_link_host_get_remote (self->link);
}
