/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit.h"

#include "crypto/als-code.h"
#include "visit/als-engine.h"
#include "visit/als-visit-private.h"

struct _AlsVisit
{
  GObject parent_instance;

  AlsEngine *engine;
  AlsVisitCore *core;    /* engine thread; only handed over in calls */
  AlsMailbox *calls;     /* to the engine */
  AlsMailbox *updates;   /* from the engine */
  AlsVisitUpdate *now;   /* the newest snapshot */
  GListStore *transfers; /* (element-type AlsVisitTransfer); item i has id i + 1 of this start */
  guint first_transfer;  /* index of the present start's first one */
};

enum
{
  PROP_0,
  PROP_STATE,
  PROP_IS_INVITER,
  PROP_CODE,
  PROP_CODE_EXPIRES,
  PROP_REACH,
  PROP_TRIES_LEFT,
  PROP_PEER_NAME,
  PROP_PERMISSION,
  PROP_IS_SHARING,
  PROP_PATH_KIND,
  PROP_PATH_REMOTE,
  PROP_RTT_US,
  PROP_PROBLEM,
  PROP_ERROR,
  PROP_SCREEN,
  PROP_TRANSFERS,
  PROP_CONNECTION,
  PROP_INVITATION,
  PROP_REPLY,
  PROP_NEXT_MARK_US,
  PROP_N_MARKS,
  PROP_IS_CLOCK_CHECKED,
  PROP_KNOWN_ICE_SERVERS,
  PROP_LOCAL_PORT,
  N_PROPS,
};

enum
{
  TRANSFER_ADDED,
  WRONG_CODE,
  MEASURED,
  N_SIGNALS,
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (AlsVisit, als_visit, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (AlsVisitState, als_visit_state,
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_IDLE, "idle"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_REACHING_SERVER, "reaching-server"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_CODE_READY, "code-ready"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_LOOKING, "looking"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_CHECKING, "checking"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_ASKING, "asking"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_ACTIVE, "active"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_RECONNECTING, "reconnecting"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_ENDED, "ended"))
G_DEFINE_ENUM_TYPE (AlsVisitPermission, als_visit_permission,
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_NOTHING, "nothing"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_FILES_ONLY, "files-only"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_SEE_SCREEN, "see-screen"))
G_DEFINE_ENUM_TYPE (AlsVisitReach, als_visit_reach,
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_REACH_ANYWHERE, "anywhere"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_REACH_NETWORK, "network"),
                    G_DEFINE_ENUM_VALUE (ALS_VISIT_REACH_MACHINE, "machine"))

/* --- calls into the engine ------------------------------------------------------ */

typedef struct _Call Call;
struct _Call
{
  AlsVisitCore *core;
  void (*func) (Call *call);
  guint number;      /* permission, kinds, transfer id, flag */
  AlsCode code;
  GPtrArray *files;  /* nullable */
  int64_t interval_us;
  AlsMailbox *calls; /* of the last call: nullable */
  AlsInvitationOffer *offer; /* nullable */
  char *text;                /* nullable; secret */
};

static void
call_free (gpointer data)
{
  Call *call = data;

  als_code_clear (&call->code);
  g_clear_pointer (&call->files, g_ptr_array_unref);
  g_clear_pointer (&call->calls, als_mailbox_unref);
  g_clear_pointer (&call->offer, als_invitation_offer_free);
  als_code_wipe_string (call->text);
  g_free (call);
}

/* In the engine's thread, in order. */
static void
calls_cb (GPtrArray *items, gpointer user_data)
{
  for (guint i = 0; i < items->len; i++)
    {
      Call *call = g_ptr_array_index (items, i);

      call->func (call);
      call_free (call);
    }
}

/* TEMPLATE is copied. */
static void
call_core (AlsVisit *self, void (*func) (Call *call), const Call *template)
{
  Call *call = g_memdup2 (template, sizeof *template);

  call->core = self->core;
  call->func = func;
  als_mailbox_post (self->calls, call);
}

static void invite_call (Call *call) { als_visit_core_invite (call->core); }
static void join_call (Call *call) { als_visit_core_join (call->core, &call->code); }
static void make_invitation_call (Call *call) { als_visit_core_make_invitation (call->core); }
static void paste_reply_call (Call *call) { als_visit_core_paste_reply (call->core, call->text); }

static void
paste_invitation_call (Call *call)
{
  als_visit_core_paste_invitation (call->core, g_steal_pointer (&call->offer), call->text);
}

static void answer_call (Call *call) { als_visit_core_answer (call->core, call->number); }
static void sharing_call (Call *call) { als_visit_core_set_sharing (call->core, call->number != 0); }
static void files_call (Call *call) { als_visit_core_send_files (call->core, call->files); }
static void stop_call (Call *call) { als_visit_core_stop (call->core); }
static void allowed_call (Call *call) { als_visit_core_set_allowed (call->core, call->number); }
static void accept_call (Call *call) { als_visit_core_accept (call->core, call->number); }
static void decline_call (Call *call) { als_visit_core_decline (call->core, call->number); }
static void cancel_call (Call *call) { als_visit_core_cancel (call->core, call->number); }
static void measure_call (Call *call) { als_visit_core_measure (call->core, call->interval_us); }

/* The last call. */
static void
free_call (Call *call)
{
  als_visit_core_free (call->core);
  als_mailbox_close (call->calls);
}

/* --- updates from the engine ------------------------------------------------------ */

static void
notify_if (AlsVisit *self, gboolean changed, guint prop)
{
  if (changed)
    g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static gboolean
errors_differ (const GError *a, const GError *b)
{
  if (a == NULL || b == NULL)
    return a != b;
  return a->code != b->code || g_strcmp0 (a->message, b->message) != 0;
}

static gboolean
lists_differ (char **a, char **b)
{
  if (a == NULL || b == NULL)
    return a != b;
  return !g_strv_equal ((const char *const *) a, (const char *const *) b);
}

static void
apply_snapshot (AlsVisit *self, AlsVisitUpdate *now)
{
  AlsVisitUpdate *old = self->now;

  self->now = now;
  g_object_freeze_notify (G_OBJECT (self));
  notify_if (self, old->is_inviter != now->is_inviter, PROP_IS_INVITER);
  notify_if (self, g_strcmp0 (old->code, now->code) != 0, PROP_CODE);
  notify_if (self, old->code_expires_us != now->code_expires_us, PROP_CODE_EXPIRES);
  notify_if (self, old->reach != now->reach, PROP_REACH);
  notify_if (self, old->tries_left != now->tries_left, PROP_TRIES_LEFT);
  notify_if (self, g_strcmp0 (old->peer_name, now->peer_name) != 0, PROP_PEER_NAME);
  notify_if (self, old->permission != now->permission, PROP_PERMISSION);
  notify_if (self, old->is_sharing != now->is_sharing, PROP_IS_SHARING);
  notify_if (self, old->path_kind != now->path_kind, PROP_PATH_KIND);
  notify_if (self, g_strcmp0 (old->path_remote, now->path_remote) != 0, PROP_PATH_REMOTE);
  notify_if (self, old->rtt_us != now->rtt_us, PROP_RTT_US);
  notify_if (self, errors_differ (old->problem, now->problem), PROP_PROBLEM);
  notify_if (self, errors_differ (old->error, now->error), PROP_ERROR);
  notify_if (self, old->screen != now->screen, PROP_SCREEN);
  notify_if (self, old->connection != now->connection, PROP_CONNECTION);
  notify_if (self, g_strcmp0 (old->invitation, now->invitation) != 0, PROP_INVITATION);
  notify_if (self, g_strcmp0 (old->reply, now->reply) != 0, PROP_REPLY);
  notify_if (self, old->next_mark_us != now->next_mark_us, PROP_NEXT_MARK_US);
  notify_if (self, old->n_marks != now->n_marks, PROP_N_MARKS);
  notify_if (self, old->is_clock_checked != now->is_clock_checked, PROP_IS_CLOCK_CHECKED);
  notify_if (self, lists_differ (old->known_ice_servers, now->known_ice_servers), PROP_KNOWN_ICE_SERVERS);
  notify_if (self, old->local_port != now->local_port, PROP_LOCAL_PORT);
  notify_if (self, old->state != now->state, PROP_STATE);
  als_visit_update_free (old);
  g_object_thaw_notify (G_OBJECT (self));
}

static void
apply_transfer (AlsVisit *self, AlsVisitUpdate *update)
{
  guint index = self->first_transfer + update->transfer_id - 1;
  g_autoptr (AlsVisitTransfer) transfer
      = g_list_model_get_item (G_LIST_MODEL (self->transfers), index);

  if (transfer != NULL)
    {
      als_visit_transfer_apply (transfer, update);
      return;
    }
  transfer = als_visit_transfer_new (self, update->transfer_id);
  als_visit_transfer_apply (transfer, update);
  g_list_store_append (self->transfers, transfer);
  g_signal_emit (self, signals[TRANSFER_ADDED], 0, transfer);
}

static void
updates_cb (GPtrArray *items, gpointer user_data)
{
  AlsVisit *self = user_data;
  g_autoptr (AlsVisit) keep = g_object_ref (self);

  for (guint i = 0; i < items->len; i++)
    {
      AlsVisitUpdate *update = g_ptr_array_index (items, i);

      switch (update->type)
        {
        case ALS_VISIT_UPDATE_SNAPSHOT:
          apply_snapshot (self, update);
          continue; /* kept */
        case ALS_VISIT_UPDATE_TRANSFER:
          apply_transfer (self, update);
          break;
        case ALS_VISIT_UPDATE_WRONG_CODE:
          g_signal_emit (self, signals[WRONG_CODE], 0, update->tries_left);
          break;
        case ALS_VISIT_UPDATE_MEASURED:
          g_signal_emit (self, signals[MEASURED], 0, update->round_trip_us);
          break;
        }
      als_visit_update_free (update);
    }
}

/* --- object -------------------------------------------------------------------------- */

static void
als_visit_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  AlsVisit *self = ALS_VISIT (object);

  switch (id)
    {
    case PROP_STATE: g_value_set_enum (value, self->now->state); break;
    case PROP_IS_INVITER: g_value_set_boolean (value, self->now->is_inviter); break;
    case PROP_CODE: g_value_set_string (value, self->now->code); break;
    case PROP_CODE_EXPIRES: g_value_set_int64 (value, self->now->code_expires_us); break;
    case PROP_REACH: g_value_set_enum (value, self->now->reach); break;
    case PROP_TRIES_LEFT: g_value_set_uint (value, self->now->tries_left); break;
    case PROP_PEER_NAME: g_value_set_string (value, self->now->peer_name); break;
    case PROP_PERMISSION: g_value_set_enum (value, self->now->permission); break;
    case PROP_IS_SHARING: g_value_set_boolean (value, self->now->is_sharing); break;
    case PROP_PATH_KIND: g_value_set_uint (value, self->now->path_kind); break;
    case PROP_PATH_REMOTE: g_value_set_string (value, self->now->path_remote); break;
    case PROP_RTT_US: g_value_set_int64 (value, self->now->rtt_us); break;
    case PROP_PROBLEM: g_value_set_boxed (value, self->now->problem); break;
    case PROP_ERROR: g_value_set_boxed (value, self->now->error); break;
    case PROP_SCREEN: g_value_set_object (value, self->now->screen); break;
    case PROP_TRANSFERS: g_value_set_object (value, self->transfers); break;
    case PROP_CONNECTION: g_value_set_boxed (value, self->now->connection); break;
    case PROP_INVITATION: g_value_set_string (value, self->now->invitation); break;
    case PROP_REPLY: g_value_set_string (value, self->now->reply); break;
    case PROP_NEXT_MARK_US: g_value_set_int64 (value, self->now->next_mark_us); break;
    case PROP_N_MARKS: g_value_set_uint (value, self->now->n_marks); break;
    case PROP_IS_CLOCK_CHECKED: g_value_set_boolean (value, self->now->is_clock_checked); break;
    case PROP_KNOWN_ICE_SERVERS: g_value_set_boxed (value, self->now->known_ice_servers); break;
    case PROP_LOCAL_PORT: g_value_set_uint (value, self->now->local_port); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
als_visit_finalize (GObject *object)
{
  AlsVisit *self = ALS_VISIT (object);
  Call call = { .calls = als_mailbox_ref (self->calls) };

  als_mailbox_close (self->updates);
  call_core (self, free_call, &call);
  als_engine_release (self->engine);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->transfers)); i++)
    {
      g_autoptr (AlsVisitTransfer) transfer
          = g_list_model_get_item (G_LIST_MODEL (self->transfers), i);

      als_visit_transfer_detach (transfer);
    }
  g_clear_object (&self->transfers);
  g_clear_pointer (&self->updates, als_mailbox_unref);
  g_clear_pointer (&self->calls, als_mailbox_unref);
  g_clear_pointer (&self->now, als_visit_update_free);
  G_OBJECT_CLASS (als_visit_parent_class)->finalize (object);
}

static void
als_visit_class_init (AlsVisitClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = als_visit_get_property;
  object_class->finalize = als_visit_finalize;
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, ALS_TYPE_VISIT_STATE, ALS_VISIT_IDLE, flags);
  props[PROP_IS_INVITER] = g_param_spec_boolean ("is-inviter", NULL, NULL, FALSE, flags);
  props[PROP_CODE] = g_param_spec_string ("code", NULL, NULL, NULL, flags);
  props[PROP_CODE_EXPIRES] = g_param_spec_int64 ("code-expires", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_REACH] = g_param_spec_enum ("reach", NULL, NULL, ALS_TYPE_VISIT_REACH, ALS_VISIT_REACH_ANYWHERE, flags);
  props[PROP_TRIES_LEFT] = g_param_spec_uint ("tries-left", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_PEER_NAME] = g_param_spec_string ("peer-name", NULL, NULL, NULL, flags);
  props[PROP_PERMISSION] = g_param_spec_enum ("permission", NULL, NULL, ALS_TYPE_VISIT_PERMISSION, ALS_VISIT_NOTHING, flags);
  props[PROP_IS_SHARING] = g_param_spec_boolean ("is-sharing", NULL, NULL, FALSE, flags);
  props[PROP_PATH_KIND] = g_param_spec_uint ("path-kind", NULL, NULL, 0, ALS_N_PATH_KINDS, 0, flags);
  props[PROP_PATH_REMOTE] = g_param_spec_string ("path-remote", NULL, NULL, NULL, flags);
  props[PROP_RTT_US] = g_param_spec_int64 ("rtt-us", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_PROBLEM] = g_param_spec_boxed ("problem", NULL, NULL, G_TYPE_ERROR, flags);
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  props[PROP_SCREEN] = g_param_spec_object ("screen", NULL, NULL, ALS_TYPE_SCREEN_RECEIVER, flags);
  props[PROP_TRANSFERS] = g_param_spec_object ("transfers", NULL, NULL, G_TYPE_LIST_MODEL, flags);
  props[PROP_CONNECTION] = g_param_spec_boxed ("connection", NULL, NULL, ALS_TYPE_CONNECTION_REPORT, flags);
  props[PROP_INVITATION] = g_param_spec_string ("invitation", NULL, NULL, NULL, flags);
  props[PROP_REPLY] = g_param_spec_string ("reply", NULL, NULL, NULL, flags);
  props[PROP_NEXT_MARK_US] = g_param_spec_int64 ("next-mark-us", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_N_MARKS] = g_param_spec_uint ("n-marks", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_IS_CLOCK_CHECKED] = g_param_spec_boolean ("is-clock-checked", NULL, NULL, FALSE, flags);
  props[PROP_KNOWN_ICE_SERVERS] = g_param_spec_boxed ("known-ice-servers", NULL, NULL, G_TYPE_STRV, flags);
  props[PROP_LOCAL_PORT] = g_param_spec_uint ("local-port", NULL, NULL, 0, G_MAXUINT16, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[TRANSFER_ADDED] = g_signal_new ("transfer-added", G_TYPE_FROM_CLASS (klass),
                                          G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                          ALS_TYPE_VISIT_TRANSFER);
  signals[WRONG_CODE] = g_signal_new ("wrong-code", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[MEASURED] = g_signal_new ("measured", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                    NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
}

static void
als_visit_init (AlsVisit *self)
{
  self->now = g_new0 (AlsVisitUpdate, 1);
  self->transfers = g_list_store_new (ALS_TYPE_VISIT_TRANSFER);
}

AlsVisit *
als_visit_new (const AlsVisitConfig *config)
{
  AlsVisit *self = g_object_new (ALS_TYPE_VISIT, NULL);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->engine = als_engine_acquire ();
  self->calls = als_mailbox_new (als_engine_get_context (self->engine), "als-visit-calls", calls_cb,
                                 NULL, call_free);
  self->updates = als_mailbox_new (context, "als-visit-updates", updates_cb, self,
                                   (GDestroyNotify) als_visit_update_free);
  self->core = als_visit_core_new (config, self->updates);
  return self;
}

/* A start counts its transfers from one. */
static void
begin (AlsVisit *self)
{
  self->first_transfer = g_list_model_get_n_items (G_LIST_MODEL (self->transfers));
}

void
als_visit_invite (AlsVisit *self)
{
  Call call = { 0 };

  begin (self);
  call_core (self, invite_call, &call);
}

gboolean
als_visit_join (AlsVisit *self, const char *text, GError **error)
{
  Call call = { 0 };
  g_autoptr (GError) code_error = NULL;

  if (!als_code_parse (&call.code, text, &code_error))
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_CODE, code_error->message);
      return FALSE;
    }
  begin (self);
  call_core (self, join_call, &call);
  als_code_clear (&call.code);
  return TRUE;
}

void
als_visit_make_invitation (AlsVisit *self)
{
  Call call = { 0 };

  begin (self);
  call_core (self, make_invitation_call, &call);
}

AlsVisitText
als_visit_classify_text (const char *text)
{
  switch (als_invitation_text_classify (text))
    {
    case ALS_INVITATION_TEXT_INVITATION: return ALS_VISIT_TEXT_INVITATION;
    case ALS_INVITATION_TEXT_REPLY: return ALS_VISIT_TEXT_REPLY;
    default: return ALS_VISIT_TEXT_OTHER;
    }
}

gboolean
als_visit_paste_invitation (AlsVisit *self, const char *text, const char *digits, GError **error)
{
  Call call = { 0 };
  g_autoptr (GError) reason = NULL;

  if (!als_invitation_check_digits (digits))
    {
      g_set_error (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_CODE, "six digits are needed");
      return FALSE;
    }
  /* This computer's clock may be wrong: whether the invitation is too old, the inviter knows. */
  call.offer = als_invitation_offer_parse (text, 0, &reason);
  if (call.offer == NULL)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, (int) als_core_invitation_error (reason),
                           reason->message);
      return FALSE;
    }
  call.text = g_strdup (digits);
  begin (self);
  call_core (self, paste_invitation_call, &call);
  return TRUE;
}

gboolean
als_visit_paste_reply (AlsVisit *self, const char *text, GError **error)
{
  Call call = { 0 };
  g_autoptr (GError) reason = NULL;
  g_autoptr (GBytes) bytes = als_invitation_text_decode (ALS_INVITATION_TEXT_REPLY, text, &reason);

  if (bytes == NULL)
    {
      g_set_error_literal (error, ALS_VISIT_ERROR, (int) als_core_invitation_error (reason),
                           reason->message);
      return FALSE;
    }
  call.text = g_strdup (text);
  call_core (self, paste_reply_call, &call);
  return TRUE;
}

gboolean
als_visit_shows_code (AlsVisit *self, const char *text)
{
  AlsCode code = { 0 }, shown = { 0 };
  gboolean same;

  same = self->now->code != NULL && als_code_parse (&code, text, NULL)
         && als_code_parse (&shown, self->now->code, NULL) && code.number == shown.number
         && g_str_equal (code.secret, shown.secret);
  als_code_clear (&code);
  als_code_clear (&shown);
  return same;
}

void
als_visit_answer (AlsVisit *self, AlsVisitPermission permission)
{
  Call call = { .number = permission };

  call_core (self, answer_call, &call);
}

void
als_visit_set_sharing (AlsVisit *self, gboolean sharing)
{
  Call call = { .number = sharing };

  call_core (self, sharing_call, &call);
}

void
als_visit_send_files (AlsVisit *self, GPtrArray *files)
{
  Call call = { 0 };

  call.files = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (call.files, g_object_ref (g_ptr_array_index (files, i)));
  call_core (self, files_call, &call);
}

void
als_visit_stop (AlsVisit *self)
{
  Call call = { 0 };

  call_core (self, stop_call, &call);
}

void
als_visit_set_allowed_kinds (AlsVisit *self, guint kinds)
{
  Call call = { .number = kinds };

  call_core (self, allowed_call, &call);
}

void
als_visit_measure (AlsVisit *self, gint64 interval_us)
{
  Call call = { .interval_us = interval_us };

  call_core (self, measure_call, &call);
}

void
als_visit_transfer_act (AlsVisit *visit, guint id, AlsVisitTransferAction action)
{
  Call call = { .number = id };

  call_core (visit,
             action == ALS_VISIT_TRANSFER_ACCEPT    ? accept_call
             : action == ALS_VISIT_TRANSFER_DECLINE ? decline_call
                                                    : cancel_call,
             &call);
}

AlsVisitState als_visit_get_state (AlsVisit *self) { return self->now->state; }
gboolean als_visit_get_is_inviter (AlsVisit *self) { return self->now->is_inviter; }
const char *als_visit_get_code (AlsVisit *self) { return self->now->code; }
gint64 als_visit_get_code_expires (AlsVisit *self) { return self->now->code_expires_us; }
AlsVisitReach als_visit_get_reach (AlsVisit *self) { return self->now->reach; }
guint als_visit_get_tries_left (AlsVisit *self) { return self->now->tries_left; }
const char *als_visit_get_peer_name (AlsVisit *self) { return self->now->peer_name; }
AlsVisitPermission als_visit_get_permission (AlsVisit *self) { return self->now->permission; }
gboolean als_visit_get_is_sharing (AlsVisit *self) { return self->now->is_sharing; }
AlsPathKind als_visit_get_path_kind (AlsVisit *self) { return self->now->path_kind; }
const char *als_visit_get_path_remote (AlsVisit *self) { return self->now->path_remote; }
gint64 als_visit_get_rtt_us (AlsVisit *self) { return self->now->rtt_us; }
const GError *als_visit_get_problem (AlsVisit *self) { return self->now->problem; }
const GError *als_visit_get_error (AlsVisit *self) { return self->now->error; }
AlsScreenReceiver *als_visit_get_screen (AlsVisit *self) { return self->now->screen; }
GListModel *als_visit_get_transfers (AlsVisit *self) { return G_LIST_MODEL (self->transfers); }
AlsConnectionReport *als_visit_get_connection (AlsVisit *self) { return self->now->connection; }
const char *als_visit_get_invitation (AlsVisit *self) { return self->now->invitation; }
const char *als_visit_get_reply (AlsVisit *self) { return self->now->reply; }
gint64 als_visit_get_next_mark_us (AlsVisit *self) { return self->now->next_mark_us; }
guint als_visit_get_n_marks (AlsVisit *self) { return self->now->n_marks; }
gboolean als_visit_get_is_clock_checked (AlsVisit *self) { return self->now->is_clock_checked; }
const char *const *als_visit_get_known_ice_servers (AlsVisit *self) { return (const char *const *) self->now->known_ice_servers; }
guint als_visit_get_local_port (AlsVisit *self) { return self->now->local_port; }

char *
als_visit_dup_code_uri (AlsVisit *self)
{
  return g_strdup (self->now->code_uri);
}
