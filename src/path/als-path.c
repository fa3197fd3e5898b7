/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-path.h"

G_DEFINE_QUARK (als-path-error-quark, als_path_error)

typedef struct
{
  int64_t started_us;     /* 0: not yet */
  int64_t took_us;
  AlsPathProblem problem; /* of the failure */
  gboolean is_failed;
  gboolean is_closed;
} AlsPathPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (AlsPath, als_path, G_TYPE_OBJECT)

enum
{
  LOCAL_MESSAGE,
  CONNECTED,
  FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

const char *
als_path_problem_to_string (AlsPathProblem problem)
{
  static const char *const names[ALS_N_PATH_PROBLEMS] = {
    "none", "no-server", "server-unreachable", "server-refused", "no-endpoint", "peer-endpoint",
    "resets", "silence", "unpredictable", "proxy", "peer-gave-up", "strangers", "died",
    "much-worse", "not-allowed", "internal",
  };

  return (guint) problem < ALS_N_PATH_PROBLEMS ? names[problem] : "unknown";
}

static void
als_path_dispose (GObject *object)
{
  als_path_close (ALS_PATH (object));
  G_OBJECT_CLASS (als_path_parent_class)->dispose (object);
}

static void
als_path_class_init (AlsPathClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = als_path_dispose;
  signals[LOCAL_MESSAGE] = g_signal_new ("local-message", ALS_TYPE_PATH, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);
  signals[CONNECTED] = g_signal_new ("connected", ALS_TYPE_PATH, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                     NULL, G_TYPE_NONE, 1, ALS_TYPE_CARRIER);
  signals[FAILED] = g_signal_new ("failed", ALS_TYPE_PATH, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
als_path_init (AlsPath *self)
{
}

void
als_path_start (AlsPath *self)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);

  g_return_if_fail (priv->started_us == 0);
  if (priv->is_closed)
    return;
  priv->started_us = g_get_monotonic_time ();
  ALS_PATH_GET_CLASS (self)->start (self);
}

void
als_path_remote_message (AlsPath *self, const uint8_t *data, size_t len)
{
  if (!als_path_is_over (self))
    ALS_PATH_GET_CLASS (self)->remote_message (self, data, len);
}

void
als_path_settle (AlsPath *self)
{
  if (!als_path_is_over (self) && ALS_PATH_GET_CLASS (self)->settle != NULL)
    ALS_PATH_GET_CLASS (self)->settle (self);
}

void
als_path_close (AlsPath *self)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);

  if (priv->is_closed)
    return;
  priv->is_closed = TRUE;
  ALS_PATH_GET_CLASS (self)->close (self);
}

void
als_path_get_report (AlsPath *self, AlsPathReport *report)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);

  *report = (AlsPathReport){ 0 };
  if (ALS_PATH_GET_CLASS (self)->get_report != NULL)
    ALS_PATH_GET_CLASS (self)->get_report (self, report);
  if (priv->is_failed)
    report->problem = priv->problem;
  report->took_us = priv->took_us;
}

void
als_path_send (AlsPath *self, GBytes *message)
{
  if (!als_path_is_over (self))
    g_signal_emit (self, signals[LOCAL_MESSAGE], 0, message);
}

void
als_path_connected (AlsPath *self, AlsCarrier *carrier)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);

  if (als_path_is_over (self))
    return;
  if (priv->took_us == 0)
    priv->took_us = MAX (g_get_monotonic_time () - priv->started_us, 1);
  g_signal_emit (self, signals[CONNECTED], 0, carrier);
}

void
als_path_fail (AlsPath *self, AlsPathProblem problem, const char *message)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);
  g_autoptr (GError) error = NULL;

  if (als_path_is_over (self))
    return;
  priv->is_failed = TRUE;
  priv->problem = problem;
  error = g_error_new_literal (ALS_PATH_ERROR, problem, message);
  g_debug ("%s failed: %s: %s", G_OBJECT_TYPE_NAME (self), als_path_problem_to_string (problem),
           message);
  g_signal_emit (self, signals[FAILED], 0, error);
}

gboolean
als_path_is_over (AlsPath *self)
{
  AlsPathPrivate *priv = als_path_get_instance_private (self);

  return priv->is_failed || priv->is_closed;
}
