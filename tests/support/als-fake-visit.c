/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-fake-visit"

#include "config.h"

#include "als-fake-visit.h"

#include <string.h>

G_DEFINE_QUARK (als-visit-error-quark, als_visit_error)
G_DEFINE_QUARK (als-transfer-error-quark, als_transfer_error)

gboolean als_fake_visit_auto_code = TRUE;

/* Enumerations -------------------------------------------------------------------------------- */

#define DEFINE_ENUM(name, TypeName, ...)                                          \
  GType name##_get_type (void)                                                    \
  {                                                                               \
    static gsize type;                                                            \
    static const GEnumValue values[] = { __VA_ARGS__, { 0, NULL, NULL } };        \
                                                                                  \
    if (g_once_init_enter (&type))                                                \
      g_once_init_leave (&type, g_enum_register_static (TypeName, values));       \
    return type;                                                                  \
  }
#define VALUE(v) { v, #v, #v }

DEFINE_ENUM (als_visit_state, "AlsVisitState", VALUE (ALS_VISIT_IDLE),
             VALUE (ALS_VISIT_REACHING_SERVER), VALUE (ALS_VISIT_CODE_READY),
             VALUE (ALS_VISIT_LOOKING), VALUE (ALS_VISIT_CHECKING), VALUE (ALS_VISIT_ASKING),
             VALUE (ALS_VISIT_ACTIVE), VALUE (ALS_VISIT_RECONNECTING), VALUE (ALS_VISIT_ENDED))
DEFINE_ENUM (als_visit_permission, "AlsVisitPermission", VALUE (ALS_VISIT_NOTHING),
             VALUE (ALS_VISIT_FILES_ONLY), VALUE (ALS_VISIT_SEE_SCREEN))
DEFINE_ENUM (als_visit_reach, "AlsVisitReach", VALUE (ALS_VISIT_REACH_ANYWHERE),
             VALUE (ALS_VISIT_REACH_NETWORK), VALUE (ALS_VISIT_REACH_MACHINE))

/* Frames -------------------------------------------------------------------------------------- */

typedef struct
{
  AlsScreenFrame frame;
  gatomicrefcount refs;
} FakeFrame;

AlsScreenFrame *
als_screen_frame_ref (AlsScreenFrame *self)
{
  g_atomic_ref_count_inc (&((FakeFrame *) self)->refs);
  return self;
}

void
als_screen_frame_unref (AlsScreenFrame *self)
{
  if (!g_atomic_ref_count_dec (&((FakeFrame *) self)->refs))
    return;
  g_bytes_unref (self->pixels);
  g_free (self);
}

/* A desktop of sorts: a gradient with a window on it. */
static AlsScreenFrame *
make_frame (guint width, guint height)
{
  FakeFrame *self = g_new0 (FakeFrame, 1);
  size_t stride = (size_t) width * 4;
  uint8_t *pixels = g_malloc (stride * height);

  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      {
        uint8_t *p = pixels + y * stride + (size_t) x * 4;
        gboolean in_window = x > width / 6 && x < width * 4 / 6 && y > height / 6 &&
                             y < height * 5 / 6;
        gboolean in_title = in_window && y < height / 6 + height / 16;
        gboolean in_text = in_window && !in_title && (y / 14) % 2 == 0 &&
                           x > width / 6 + 20 && (x / 9) % 7 != 0 && x < width * 4 / 6 - 60;

        p[0] = in_text ? 0x60 : in_title ? 0x50 : in_window ? 0xfa : (uint8_t) (0x70 + 0x60 * y / height);
        p[1] = in_text ? 0x60 : in_title ? 0x40 : in_window ? 0xfa : (uint8_t) (0x40 + 0x40 * x / width);
        p[2] = in_text ? 0x60 : in_title ? 0x35 : in_window ? 0xfa : 0x30;
        p[3] = 0xff;
      }
  g_atomic_ref_count_init (&self->refs);
  self->frame.pixels = g_bytes_new_take (pixels, stride * height);
  self->frame.width = width;
  self->frame.height = height;
  self->frame.stride = stride;
  return &self->frame;
}

struct _AlsScreenReceiver
{
  GObject parent;
  AlsScreenFrame *frame;
  AlsScreenReceiverFunc func;
  gpointer user_data;
};

G_DEFINE_FINAL_TYPE (AlsScreenReceiver, als_screen_receiver, G_TYPE_OBJECT)

static void
als_screen_receiver_finalize (GObject *object)
{
  AlsScreenReceiver *self = ALS_SCREEN_RECEIVER (object);

  g_clear_pointer (&self->frame, als_screen_frame_unref);
  G_OBJECT_CLASS (als_screen_receiver_parent_class)->finalize (object);
}

static void
als_screen_receiver_class_init (AlsScreenReceiverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_screen_receiver_finalize;
}

static void
als_screen_receiver_init (AlsScreenReceiver *self)
{
}

void
als_screen_receiver_set_notify (AlsScreenReceiver *self, GMainContext *context,
                                AlsScreenReceiverFunc func, gpointer user_data,
                                GDestroyNotify destroy)
{
  self->func = func;
  self->user_data = user_data;
}

AlsScreenFrame *
als_screen_receiver_take_frame (AlsScreenReceiver *self)
{
  return g_steal_pointer (&self->frame);
}

/* Transfers ----------------------------------------------------------------------------------- */

struct _AlsVisitTransfer
{
  GObject parent;
  AlsTransferInfo info;
  GStrv names;
  GFile *saved;
  GError *error;
};

G_DEFINE_FINAL_TYPE (AlsVisitTransfer, als_visit_transfer, G_TYPE_OBJECT)

#define FAKE_FILE_BYTES ((guint64) 48 * 1000 * 1000)

static void
als_visit_transfer_finalize (GObject *object)
{
  AlsVisitTransfer *self = ALS_VISIT_TRANSFER (object);

  g_strfreev (self->names);
  g_clear_object (&self->saved);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (als_visit_transfer_parent_class)->finalize (object);
}

static void
als_visit_transfer_class_init (AlsVisitTransferClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_visit_transfer_finalize;
  g_signal_new ("changed", ALS_TYPE_VISIT_TRANSFER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
}

static void
als_visit_transfer_init (AlsVisitTransfer *self)
{
  self->info.state = ALS_TRANSFER_OFFERED;
  self->info.seconds_left = -1;
}

void
als_visit_transfer_get_info (AlsVisitTransfer *self, AlsTransferInfo *info)
{
  *info = self->info;
}

const GError *
als_visit_transfer_get_error (AlsVisitTransfer *self)
{
  return self->error;
}

const char *
als_visit_transfer_get_name (AlsVisitTransfer *self, guint i)
{
  return i < self->info.n_files ? self->names[i] : NULL;
}

guint64
als_visit_transfer_get_size (AlsVisitTransfer *self, guint i)
{
  return FAKE_FILE_BYTES;
}

GFile *
als_visit_transfer_get_saved (AlsVisitTransfer *self, guint i)
{
  return self->saved;
}

void
als_visit_transfer_accept (AlsVisitTransfer *self)
{
  als_fake_transfer_progress (self, 0, 0, -1);
}

void
als_visit_transfer_decline (AlsVisitTransfer *self)
{
  als_fake_transfer_fail (self, ALS_TRANSFER_ERROR_DECLINED);
}

void
als_visit_transfer_cancel (AlsVisitTransfer *self)
{
  als_fake_transfer_fail (self, ALS_TRANSFER_ERROR_CANCELLED);
}

void
als_fake_transfer_progress (AlsVisitTransfer *self, guint64 done, guint64 rate, gint64 seconds_left)
{
  self->info.state = ALS_TRANSFER_ACTIVE;
  self->info.bytes_done = done;
  self->info.n_files_done = (guint) (done / FAKE_FILE_BYTES);
  self->info.rate = rate;
  self->info.seconds_left = seconds_left;
  g_signal_emit_by_name (self, "changed");
}

void
als_fake_transfer_done (AlsVisitTransfer *self)
{
  self->info.state = ALS_TRANSFER_DONE;
  self->info.bytes_done = self->info.bytes_total;
  self->info.n_files_done = self->info.n_files;
  if (self->info.incoming)
    {
      g_autofree char *path = g_build_filename (g_get_tmp_dir (), self->names[0], NULL);

      self->saved = g_file_new_for_path (path);
    }
  g_signal_emit_by_name (self, "changed");
}

void
als_fake_transfer_fail (AlsVisitTransfer *self, AlsTransferError code)
{
  if (self->info.state == ALS_TRANSFER_DONE || self->info.state == ALS_TRANSFER_FAILED)
    return;
  self->info.state = ALS_TRANSFER_FAILED;
  self->error = g_error_new (ALS_TRANSFER_ERROR, code, "fake transfer error %d", code);
  g_signal_emit_by_name (self, "changed");
}

/* The visit ----------------------------------------------------------------------------------- */

struct _AlsVisit
{
  GObject parent;
  AlsVisitState state;
  gboolean is_inviter;
  char *code;
  gint64 code_expires;
  AlsVisitReach reach;
  guint tries_left;
  char *peer_name;
  AlsVisitPermission permission;
  gboolean is_sharing;
  AlsPathKind path_kind;
  char *path_remote;
  gint64 rtt_us;
  GError *problem;
  GError *error;
  AlsScreenReceiver *screen;
  GListStore *transfers;
  int answer;
  guint n_sent;
  char *joined;
  guint kinds;
  AlsConnectionReport *connection;
  char *invitation, *reply;
  gint64 next_mark_us;
  guint n_marks;
  gboolean is_clock_checked;
  char *pasted, *digits;
  GStrv ice_servers;
  guint local_port;
  gboolean no_port_mapping;
  gboolean no_lan;
};

G_DEFINE_FINAL_TYPE (AlsVisit, als_visit, G_TYPE_OBJECT)

static const char *const property_names[] = {
  "state", "is-inviter", "code", "code-expires", "reach", "tries-left", "peer-name", "permission",
  "is-sharing", "path-kind", "path-remote", "rtt-us", "problem", "error", "screen", "transfers",
  "connection", "invitation", "reply", "next-mark-us", "n-marks", "is-clock-checked",
  "known-ice-servers", "local-port",
};

static void
als_visit_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  /* The windows use the functions; only notify:: matters here. */
}

static void
als_visit_finalize (GObject *object)
{
  AlsVisit *self = ALS_VISIT (object);

  g_free (self->code);
  g_free (self->peer_name);
  g_free (self->path_remote);
  g_free (self->joined);
  g_clear_pointer (&self->connection, als_connection_report_unref);
  g_free (self->invitation);
  g_free (self->reply);
  g_free (self->pasted);
  g_free (self->digits);
  g_strfreev (self->ice_servers);
  g_clear_error (&self->problem);
  g_clear_error (&self->error);
  g_clear_object (&self->screen);
  g_clear_object (&self->transfers);
  G_OBJECT_CLASS (als_visit_parent_class)->finalize (object);
}

static void
als_visit_class_init (AlsVisitClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = als_visit_get_property;
  object_class->finalize = als_visit_finalize;
  for (guint i = 0; i < G_N_ELEMENTS (property_names); i++)
    g_object_class_install_property (object_class, i + 1,
      g_param_spec_boolean (property_names[i], NULL, NULL, FALSE,
                            G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_signal_new ("transfer-added", ALS_TYPE_VISIT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, ALS_TYPE_VISIT_TRANSFER);
  g_signal_new ("wrong-code", ALS_TYPE_VISIT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                G_TYPE_UINT);
}

static void
als_visit_init (AlsVisit *self)
{
  self->transfers = g_list_store_new (ALS_TYPE_VISIT_TRANSFER);
  self->answer = -1;
  self->tries_left = 3;
}

AlsVisit *
als_visit_new (const AlsVisitConfig *config)
{
  AlsVisit *self = g_object_new (ALS_TYPE_VISIT, NULL);

  self->kinds = config->allowed_kinds;
  self->ice_servers = g_strdupv ((GStrv) config->ice_servers);
  self->local_port = config->local_port;
  self->no_port_mapping = config->no_port_mapping;
  self->no_lan = config->no_lan;
  self->reach = config->servers != NULL && config->servers[0] != NULL ? ALS_VISIT_REACH_ANYWHERE
                : config->listen                                      ? ALS_VISIT_REACH_NETWORK
                                                                      : ALS_VISIT_REACH_MACHINE;
  return self;
}

void
als_visit_invite (AlsVisit *self)
{
  self->is_inviter = TRUE;
  als_fake_visit_set_state (self, ALS_VISIT_REACHING_SERVER);
  if (als_fake_visit_auto_code)
    als_fake_visit_set_code (self, ALS_FAKE_CODE, 10 * 60);
}

gboolean
als_visit_shows_code (AlsVisit *self, const char *text)
{
  return g_strcmp0 (als_visit_get_code (self), text) == 0;
}

gboolean
als_visit_join (AlsVisit *self, const char *text, GError **error)
{
  guint n_digits = 0;

  for (const char *p = text; *p != '\0'; p++)
    n_digits += g_ascii_isdigit (*p);
  if (n_digits != 12)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_CODE, "no code");
      return FALSE;
    }
  g_free (self->joined);
  self->joined = g_strdup (text);
  als_fake_visit_set_state (self, ALS_VISIT_REACHING_SERVER);
  return TRUE;
}

void
als_visit_make_invitation (AlsVisit *self)
{
  self->is_inviter = TRUE;
  als_fake_visit_set_state (self, ALS_VISIT_REACHING_SERVER);
}

AlsVisitText
als_visit_classify_text (const char *text)
{
  return strstr (text, ALS_FAKE_INVITATION) != NULL ? ALS_VISIT_TEXT_INVITATION
         : strstr (text, ALS_FAKE_REPLY) != NULL    ? ALS_VISIT_TEXT_REPLY
                                                    : ALS_VISIT_TEXT_OTHER;
}

gboolean
als_visit_paste_invitation (AlsVisit *self, const char *text, const char *digits, GError **error)
{
  if (als_visit_classify_text (text) != ALS_VISIT_TEXT_INVITATION)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_INVITATION, "no invitation");
      return FALSE;
    }
  if (strlen (digits) != 6)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_CODE, "no digits");
      return FALSE;
    }
  g_free (self->pasted);
  self->pasted = g_strdup (text);
  g_free (self->digits);
  self->digits = g_strdup (digits);
  als_fake_visit_set_state (self, ALS_VISIT_REACHING_SERVER);
  return TRUE;
}

gboolean
als_visit_paste_reply (AlsVisit *self, const char *text, GError **error)
{
  if (als_visit_classify_text (text) != ALS_VISIT_TEXT_REPLY)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_INVITATION, "no reply");
      return FALSE;
    }
  g_free (self->pasted);
  self->pasted = g_strdup (text);
  als_fake_visit_set_state (self, ALS_VISIT_LOOKING);
  return TRUE;
}

void
als_visit_answer (AlsVisit *self, AlsVisitPermission permission)
{
  self->answer = (int) permission;
  self->permission = permission;
  if (permission == ALS_VISIT_NOTHING)
    als_fake_visit_end (self, ALS_VISIT_ERROR_DECLINED);
  else
    {
      self->is_sharing = permission == ALS_VISIT_SEE_SCREEN;
      als_fake_visit_set_state (self, ALS_VISIT_ACTIVE);
    }
}

void
als_visit_set_sharing (AlsVisit *self, gboolean sharing)
{
  als_fake_visit_set_sharing (self, sharing);
}

void
als_visit_send_files (AlsVisit *self, GPtrArray *files)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  self->n_sent += files->len;
  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (names, g_file_get_basename (g_ptr_array_index (files, i)));
  g_ptr_array_add (names, NULL);
  als_fake_visit_add_transfer (self, FALSE, (const char *const *) names->pdata);
}

static gboolean
stopped_cb (gpointer user_data)
{
  AlsVisit *self = user_data;

  if (self->state != ALS_VISIT_ENDED)
    als_fake_visit_end (self, ALS_VISIT_ERROR_STOPPED);
  return G_SOURCE_REMOVE;
}

void
als_visit_stop (AlsVisit *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, stopped_cb, g_object_ref (self), g_object_unref);
}

void
als_visit_set_allowed_kinds (AlsVisit *self, guint kinds)
{
  self->kinds = kinds;
}

char *
als_visit_dup_code_uri (AlsVisit *self)
{
  GString *uri;

  if (self->code == NULL)
    return NULL;
  uri = g_string_new ("alongside:");
  for (const char *p = self->code; *p != '\0'; p++)
    if (*p != ' ')
      g_string_append_c (uri, *p);
  return g_string_free (uri, FALSE);
}

AlsVisitState als_visit_get_state (AlsVisit *self) { return self->state; }
gboolean als_visit_get_is_inviter (AlsVisit *self) { return self->is_inviter; }
const char *als_visit_get_code (AlsVisit *self) { return self->code; }
gint64 als_visit_get_code_expires (AlsVisit *self) { return self->code_expires; }
AlsVisitReach als_visit_get_reach (AlsVisit *self) { return self->reach; }
guint als_visit_get_tries_left (AlsVisit *self) { return self->tries_left; }
const char *als_visit_get_peer_name (AlsVisit *self) { return self->peer_name; }
AlsVisitPermission als_visit_get_permission (AlsVisit *self) { return self->permission; }
gboolean als_visit_get_is_sharing (AlsVisit *self) { return self->is_sharing; }
AlsPathKind als_visit_get_path_kind (AlsVisit *self) { return self->path_kind; }
const char *als_visit_get_path_remote (AlsVisit *self) { return self->path_remote; }
gint64 als_visit_get_rtt_us (AlsVisit *self) { return self->rtt_us; }
const GError *als_visit_get_problem (AlsVisit *self) { return self->problem; }
const GError *als_visit_get_error (AlsVisit *self) { return self->error; }
AlsScreenReceiver *als_visit_get_screen (AlsVisit *self) { return self->screen; }
GListModel *als_visit_get_transfers (AlsVisit *self) { return G_LIST_MODEL (self->transfers); }
AlsConnectionReport *als_visit_get_connection (AlsVisit *self) { return self->connection; }
const char *als_visit_get_invitation (AlsVisit *self) { return self->invitation; }
const char *als_visit_get_reply (AlsVisit *self) { return self->reply; }
gint64 als_visit_get_next_mark_us (AlsVisit *self) { return self->next_mark_us; }
guint als_visit_get_n_marks (AlsVisit *self) { return self->n_marks; }
gboolean als_visit_get_is_clock_checked (AlsVisit *self) { return self->is_clock_checked; }
const char *const *als_visit_get_known_ice_servers (AlsVisit *self) { return NULL; }
guint als_visit_get_local_port (AlsVisit *self) { return self->local_port; }

/* Driven by tests ----------------------------------------------------------------------------- */

static void
notify (AlsVisit *self, const char *name)
{
  g_object_notify (G_OBJECT (self), name);
}

void
als_fake_visit_set_state (AlsVisit *self, AlsVisitState state)
{
  if (self->state == state)
    return;
  self->state = state;
  notify (self, "state");
}

void
als_fake_visit_set_code (AlsVisit *self, const char *code, guint lifetime_s)
{
  g_autofree char *old = g_steal_pointer (&self->code);

  self->code = g_strdup (code);
  self->code_expires = code != NULL ? g_get_real_time () + lifetime_s * G_USEC_PER_SEC : 0;
  if (code != NULL)
    als_fake_visit_set_state (self, ALS_VISIT_CODE_READY);
  notify (self, "code");
  notify (self, "code-expires");
}

void
als_fake_visit_set_reach (AlsVisit *self, AlsVisitReach reach)
{
  self->reach = reach;
  notify (self, "reach");
}

void
als_fake_visit_set_peer (AlsVisit *self, const char *name)
{
  g_free (self->peer_name);
  self->peer_name = g_strdup (name);
  notify (self, "peer-name");
}

void
als_fake_visit_set_permission (AlsVisit *self, AlsVisitPermission permission)
{
  self->permission = permission;
  notify (self, "permission");
}

void
als_fake_visit_set_sharing (AlsVisit *self, gboolean sharing)
{
  self->is_sharing = sharing;
  notify (self, "is-sharing");
}

void
als_fake_visit_set_path (AlsVisit *self, AlsPathKind kind, const char *remote, gint64 rtt_us)
{
  self->path_kind = kind;
  g_free (self->path_remote);
  self->path_remote = g_strdup (remote);
  self->rtt_us = rtt_us;
  notify (self, "path-kind");
  notify (self, "path-remote");
  notify (self, "rtt-us");
}

void
als_fake_visit_set_connection (AlsVisit *self, AlsConnectionReport *report)
{
  g_clear_pointer (&self->connection, als_connection_report_unref);
  if (report != NULL)
    self->connection = als_connection_report_ref (report);
  notify (self, "connection");
}

void
als_fake_visit_set_invitation (AlsVisit *self, const char *digits)
{
  g_free (self->invitation);
  self->invitation = g_strdup (ALS_FAKE_INVITATION);
  notify (self, "invitation");
  als_fake_visit_set_code (self, digits, 10 * 60);
}

void
als_fake_visit_set_reply (AlsVisit *self)
{
  g_free (self->reply);
  self->reply = g_strdup (ALS_FAKE_REPLY);
  notify (self, "reply");
  als_fake_visit_set_state (self, ALS_VISIT_LOOKING);
}

void
als_fake_visit_set_marks (AlsVisit *self, guint n, gint64 next_us, gboolean is_clock_checked)
{
  self->n_marks = n;
  self->next_mark_us = next_us;
  self->is_clock_checked = is_clock_checked;
  notify (self, "n-marks");
  notify (self, "next-mark-us");
  notify (self, "is-clock-checked");
}

const char *
als_fake_visit_get_pasted (AlsVisit *self)
{
  return self->pasted;
}

const char *
als_fake_visit_get_digits (AlsVisit *self)
{
  return self->digits;
}

gboolean
als_fake_visit_get_no_lan (AlsVisit *self)
{
  return self->no_lan;
}

const char *const *
als_fake_visit_get_ice_servers (AlsVisit *self)
{
  return (const char *const *) self->ice_servers;
}

void
als_fake_visit_set_problem (AlsVisit *self, int code)
{
  g_clear_error (&self->problem);
  if (code >= 0)
    self->problem = g_error_new (ALS_VISIT_ERROR, code, "fake problem %d", code);
  notify (self, "problem");
}

void
als_fake_visit_end (AlsVisit *self, AlsVisitError code)
{
  g_clear_error (&self->error);
  self->error = g_error_new (ALS_VISIT_ERROR, code, "fake error %d", code);
  g_clear_object (&self->screen);
  self->is_sharing = FALSE;
  notify (self, "error");
  als_fake_visit_set_state (self, ALS_VISIT_ENDED);
}

void
als_fake_visit_wrong_code (AlsVisit *self, guint tries_left)
{
  self->tries_left = tries_left;
  g_signal_emit_by_name (self, "wrong-code", tries_left);
}

void
als_fake_visit_set_tries_left (AlsVisit *self, guint tries_left)
{
  self->tries_left = tries_left;
  notify (self, "tries-left");
}

void
als_fake_visit_open_screen (AlsVisit *self)
{
  if (self->screen == NULL)
    self->screen = g_object_new (ALS_TYPE_SCREEN_RECEIVER, NULL);
  notify (self, "screen");
}

void
als_fake_visit_show_screen (AlsVisit *self, guint width, guint height)
{
  als_fake_visit_open_screen (self);
  g_clear_pointer (&self->screen->frame, als_screen_frame_unref);
  self->screen->frame = make_frame (width, height);
  if (self->screen->func != NULL)
    self->screen->func (self->screen, self->screen->user_data);
}

AlsVisitTransfer *
als_fake_visit_add_transfer (AlsVisit *self, gboolean incoming, const char *const *names)
{
  g_autoptr (AlsVisitTransfer) transfer = g_object_new (ALS_TYPE_VISIT_TRANSFER, NULL);

  transfer->names = g_strdupv ((GStrv) names);
  transfer->info.incoming = incoming;
  transfer->info.n_files = g_strv_length (transfer->names);
  transfer->info.bytes_total = transfer->info.n_files * FAKE_FILE_BYTES;
  g_list_store_append (self->transfers, transfer);
  g_signal_emit_by_name (self, "transfer-added", transfer);
  return transfer; /* the list holds it */
}

int
als_fake_visit_get_answer (AlsVisit *self)
{
  return self->answer;
}

guint
als_fake_visit_get_n_sent (AlsVisit *self)
{
  return self->n_sent;
}

const char *
als_fake_visit_get_joined (AlsVisit *self)
{
  return self->joined;
}

guint
als_fake_visit_get_kinds (AlsVisit *self)
{
  return self->kinds;
}
