/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The one object for both transports; each has its own half-hidden machine. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-path.h"

#include <string.h>
#include "path/punch/als-punch-message.h"
#include "path/punch/als-punch-tcp.h"
#include "path/punch/als-punch-udp.h"

/* The peer's that come before our start. */
#define MAX_EARLY 32

struct _AlsPunchPath
{
  AlsPath parent_instance;

  AlsPunchPathConfig config; /* with references of our own */
  uint8_t udp_secret[ALS_PUNCH_SECRET_BYTES]; /* if `config` points here */
  GPtrArray *early;          /* (element-type GBytes): until start */
  AlsPunchTcp *tcp;          /* one of these; NULL before start and after close */
  AlsPunchUdp *udp;
};

G_DEFINE_FINAL_TYPE (AlsPunchPath, als_punch_path, ALS_TYPE_PATH)

static void
als_punch_path_remote_message (AlsPath *path, const uint8_t *data, size_t len)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (path);

  if (len > ALS_PUNCH_MAX_MESSAGE_BYTES)
    g_message ("punch message ignored: too long");
  else if (self->tcp != NULL)
    als_punch_tcp_receive (self->tcp, data, len);
  else if (self->udp != NULL)
    als_punch_udp_receive (self->udp, data, len);
  else if (self->early != NULL && self->early->len < MAX_EARLY)
    g_ptr_array_add (self->early, g_bytes_new (data, len));
}

static void
als_punch_path_start (AlsPath *path)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (path);
  g_autoptr (GPtrArray) early = g_steal_pointer (&self->early);

  if (self->config.is_udp)
    {
      self->udp = als_punch_udp_new (path, &self->config);
      als_punch_udp_start (self->udp);
    }
  else
    {
      self->tcp = als_punch_tcp_new (path, &self->config);
      als_punch_tcp_start (self->tcp);
    }
  for (guint i = 0; i < early->len; i++)
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (g_ptr_array_index (early, i), &len);

      als_punch_path_remote_message (path, data, len);
    }
}

static void
als_punch_path_settle (AlsPath *path)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (path);

  if (self->tcp != NULL)
    als_punch_tcp_settle (self->tcp);
  if (self->udp != NULL)
    als_punch_udp_settle (self->udp);
}

static void
als_punch_path_close (AlsPath *path)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (path);

  g_clear_pointer (&self->tcp, als_punch_tcp_free);
  g_clear_pointer (&self->udp, als_punch_udp_free);
  g_clear_pointer (&self->early, g_ptr_array_unref);
}

static void
als_punch_path_get_report (AlsPath *path, AlsPathReport *report)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (path);

  if (self->tcp != NULL)
    als_punch_tcp_get_report (self->tcp, report);
  if (self->udp != NULL)
    als_punch_udp_get_report (self->udp, report);
}

static void
als_punch_path_finalize (GObject *object)
{
  AlsPunchPath *self = ALS_PUNCH_PATH (object);

  g_clear_object (&self->config.pool);
  g_clear_object (&self->config.mapper);
  g_clear_pointer (&self->config.servers, g_ptr_array_unref);
  explicit_bzero (self->udp_secret, sizeof self->udp_secret);
  G_OBJECT_CLASS (als_punch_path_parent_class)->finalize (object);
}

static void
als_punch_path_class_init (AlsPunchPathClass *klass)
{
  AlsPathClass *path_class = ALS_PATH_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_punch_path_finalize;
  path_class->start = als_punch_path_start;
  path_class->remote_message = als_punch_path_remote_message;
  path_class->settle = als_punch_path_settle;
  path_class->close = als_punch_path_close;
  path_class->get_report = als_punch_path_get_report;
}

static void
als_punch_path_init (AlsPunchPath *self)
{
  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

AlsPath *
als_punch_path_new (const AlsPunchPathConfig *config)
{
  AlsPunchPath *self = g_object_new (ALS_TYPE_PUNCH_PATH, NULL);

  self->config = *config;
  if (config->udp_secret != NULL)
    self->config.udp_secret = memcpy (self->udp_secret, config->udp_secret, sizeof self->udp_secret);
  if (config->pool != NULL)
    g_object_ref (config->pool);
  if (config->mapper != NULL)
    g_object_ref (config->mapper);
  self->config.servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  for (guint i = 0; config->servers != NULL && i < config->servers->len; i++)
    g_ptr_array_add (self->config.servers,
                     als_path_server_copy (g_ptr_array_index (config->servers, i)));
  return ALS_PATH (self);
}
