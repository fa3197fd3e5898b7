/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The parts of AlsVisitCore among each other, one idea a file:
 *
 *   als-visit-core.c      the states, what limits each of them, the beginning and the end
 *   als-visit-introducers.c  the server and the local network, meeting again
 *   als-visit-pairing.c   codes and their proof
 *   als-visit-invitation.c  texts instead of a server
 *   als-visit-peer.c      sealed messages between the two sides, whatever carries them
 *   als-visit-session.c   the session and what it says
 *   als-visit-network.c   servers, changes of the network, and how the two are connected
 *   als-visit-talk.c      the visit channel: names and consent
 *   als-visit-work.c      what people came for: files, screen, figures
 *   als-visit-update.c    what is told to the visit's thread
 *
 * Engine thread. */

#pragma once

#include "base/als-token-bucket.h"
#include "crypto/als-handshake.h"
#include "crypto/als-invitation.h"
#include "crypto/als-key-schedule.h"
#include "crypto/als-seal.h"
#include "media/als-screen-receiver.h"
#include "media/als-screen-sender.h"
#include "path/als-network-watch.h"
#include "protocol/als-peer-message.h"
#include "session/als-session.h"
#include "signal/als-lan-client.h"
#include "signal/als-signal-client.h"
#include "signal/als-sntp.h"
#include "transfer/als-transfer.h"
#include "visit/als-visit-core.h"
#include "visit/als-visit-means.h"
#include "visit/als-visit-paths.h"

G_BEGIN_DECLS

/* Limits of waits, in seconds. Each ends in a state with a sentence. */
#define ALS_REACH_SERVER_LIMIT_S 20 /* joiner; an inviter goes on trying */
#define ALS_CHECK_LIMIT_S 10
#define ALS_GREET_LIMIT_S 20        /* from the proof of the code to the other's HELLO */
#define ALS_NO_PATH_LIMIT_S (10 * 60)

typedef struct
{
  AlsVisitCore *core;    /* back pointer */
  guint id;
  AlsTransfer *transfer;
  AlsTransferState told; /* the last state that was told, with names */
  gboolean is_told;
} AlsCoreTransfer;

/* Who brought the two together, and takes their messages. */
typedef enum
{
  ALS_VIA_SERVER,
  ALS_VIA_LAN,
  ALS_N_VIAS,
} AlsCoreVia;

/* Punches of an invitation: TCP and UDP. */
#define ALS_N_PUNCHES 2

struct _AlsVisitCore
{
  /* As given. */
  char **servers;
  gboolean listen;
  guint allowed_kinds;
  gboolean loopback;
  char *name;
  char *download_folder;
  AlsScreenKind screen_kind;
  char *display;
  char **ice_servers;        /* secret: may hold logins */
  uint16_t local_port;       /* 0: any */
  uint16_t last_local_port;  /* 0: none */
  gboolean no_port_mapping;
  gboolean no_lan;
  char **ntp_servers;
  GProxyResolver *proxies;   /* nullable: the system's */
  GTlsDatabase *trust;       /* nullable: the system's */

  AlsMailbox *updates;
  AlsVisitState state;
  gboolean is_inviter;
  AlsVisitReach reach;
  GCancellable *cancellable; /* of finding a server */
  AlsSignalClient *client;   /* nullable */
  AlsLanClient *lan;         /* nullable */
  gboolean is_paired[ALS_N_VIAS];
  GError *problem;
  GError *error;

  AlsCode code;
  gboolean has_code;
  gint64 code_expires_us;    /* real time */
  AlsTries tries;
  guint former_tries;        /* inviter: spent on earlier codes of this visit */
  uint32_t tries_number;     /* joiner: the number that `tries` counts for */
  AlsHandshake *handshake;
  AlsCoreVia via;            /* of the handshake */
  gboolean is_via_chosen;    /* FALSE: inviter: whose message comes first, of those who are paired */
  gboolean is_local_code;    /* inviter: drawn here, unknown to any server */
  AlsVisitReach best_reach;  /* what a code of the server's has */
  guint n_server_failures;   /* since a server answered */
  GSource *local_code;       /* when a local one is shown */
  gboolean sent_tag;         /* joiner: so an abrupt end means a wrong code */

  /* Without a server. */
  gboolean by_invitation;
  AlsInvitation *invitation; /* inviter: until it was answered */
  AlsInvitationOffer *offer; /* joiner: until it is answered */
  char *digits;              /* joiner: secret, likewise */
  char *reply;               /* joiner */
  AlsSntpTime clock;
  AlsPath *punches[ALS_N_PUNCHES];     /* until the session begins */
  GBytes *endpoints[ALS_N_PUNCHES];    /* what they tell the other side */
  GBytes *peer_endpoints[ALS_N_PUNCHES]; /* what the other side told last; NULL: nothing */
  gboolean is_settled[ALS_N_PUNCHES];  /* they tell no more */
  GSource *gathering;        /* while they may */
  int64_t clock_slept_us;    /* how long this computer had slept when `clock` was asked */
  GSource *marking;          /* when marks begin again */
  gboolean is_marking;       /* no way is left: both try at each mark again */
  int64_t next_mark_us;      /* 0: not yet */
  guint n_marks;

  gboolean is_confirmed;     /* from here on the fields below are valid */
  uint8_t meeting_id[ALS_MEETING_ID_BYTES];
  AlsSealer sealer;
  AlsOpener opener;
  AlsSession *session;
  char **known_ice_servers;  /* nullable: the last pairing's, without logins; outlives starts */
  uint16_t worked_port;      /* TCP: a direct connection came about from it; 0: not yet; outlives starts */
  AlsNetworkWatch *watch;
  AlsVisitMeans *means;
  AlsNetworkReport *ours;    /* nullable: not known yet */
  AlsNetworkReport *theirs;  /* nullable: likewise */
  gboolean networks_changed; /* since they were told last */
  GSource *probe_later;
  GCancellable *probing;     /* nullable */
  AlsConnectionReport *connection; /* as told last; NULL: nothing yet */
  AlsVisitPaths *paths;
  GSource *poll_source;
  int64_t poll_deadline_us;
  AlsChannel *channel;       /* ALS_CHANNEL_VISIT; NULL: not open (any more) */
  GByteArray *inbox;         /* of `channel`: less than one message */
  char *peer_name;
  AlsVisitPermission permission;
  AlsVisitPermission answer; /* inviter: given, but not read yet */
  uint64_t answer_end;       /* where it ends in the channel */
  GSource *answer_source;    /* NULL: none is under way */
  gboolean ended_by_session;
  gboolean is_declined;      /* by als_visit_core_answer () */
  AlsSessionStats stats;
  char *path_remote;

  AlsScreenSender *sender;
  AlsScreenReceiver *receiver;
  AlsTokenBucket screens;    /* joiner: of screens that the other side may begin to show */
  GPtrArray *early_files;    /* (element-type GPtrArray): to be sent once the answer has been read */
  GPtrArray *transfers;      /* (element-type AlsCoreTransfer) */
  AlsChannel *echo;          /* ALS_CHANNEL_ECHO of als_visit_core_measure () */
  GSource *echo_source;

  int64_t met_us;            /* when a meeting was asked for last; 0: never */
  GSource *meeting;          /* the next one */

  GSource *limit;            /* of the present wait */
  GSource *expiry;           /* of the code */
  GSource *ticker;           /* of path figures */
  GSource *linger;           /* goodbyes are leaving: nothing else happens any more */
};

/* als-visit-core.c */
/* LIMIT_S: how long this state may last; 0: as long as it likes. */
void     als_core_set_state   (AlsVisitCore *self, AlsVisitState state, guint limit_s);
/* MESSAGE: NULL for none. */
void     als_core_set_problem (AlsVisitCore *self, AlsVisitError code, const char *message);
/* Ends the visit, after goodbyes have had a moment to leave. */
void     als_core_finish      (AlsVisitCore *self, AlsVisitError code, const char *format, ...)
                               G_GNUC_PRINTF (3, 4);
gboolean als_core_is_running  (AlsVisitCore *self);
GSource *als_core_add_timeout (guint interval_ms, const char *name, GSourceFunc func,
                               gpointer user_data);

/* als-visit-introducers.c */
void        als_core_start_server    (AlsVisitCore *self, const char *const *uris);
void        als_core_start_lan       (AlsVisitCore *self);
void        als_core_end_introducers (AlsVisitCore *self);
/* Ends waiting and joining; what is paired stays. */
void        als_core_stop_looking    (AlsVisitCore *self);
gboolean    als_core_is_paired       (AlsVisitCore *self);
gboolean    als_core_via_send        (AlsVisitCore *self, AlsCoreVia via, GBytes *bytes);
void        als_core_via_unpair      (AlsVisitCore *self, AlsCoreVia via);
/* (transfer full) (nullable) */
AlsCarrier *als_core_via_take_relay  (AlsVisitCore *self, AlsCoreVia via);
/* Asks for a new pairing, with a relay of its own; at once, if the last one is not just now. */
void        als_core_meet_again      (AlsVisitCore *self);
/* The same for two whom nobody introduced before. */
void        als_core_meet_somewhere  (AlsVisitCore *self);

/* als-visit-pairing.c */
void     als_core_start_pairing  (AlsVisitCore *self);
/* What the introducers say. */
void     als_core_registered     (AlsVisitCore *self, guint number);
void     als_core_server_waits   (AlsVisitCore *self);
void     als_core_paired         (AlsVisitCore *self, AlsCoreVia via);
void     als_core_message        (AlsVisitCore *self, AlsCoreVia via, GBytes *payload);
void     als_core_unpaired       (AlsVisitCore *self, AlsCoreVia via, guint reason);
void     als_core_server_failed  (AlsVisitCore *self, const GError *error);
void     als_core_lan_failed     (AlsVisitCore *self, const GError *error);
/* Inviter: one guest has gone without proof; the next may come, while there are tries. */
void     als_core_wait_again     (AlsVisitCore *self);
void     als_core_drop_code      (AlsVisitCore *self);
guint    als_core_get_tries_left (AlsVisitCore *self);

/* als-visit-invitation.c */
void     als_core_start_invitation (AlsVisitCore *self);
void     als_core_end_invitation   (AlsVisitCore *self);
/* Endpoints of the other side, on whatever way. */
void     als_core_note_endpoints   (AlsVisitCore *self, const AlsPeerMessage *message);
/* No way is left, or another network is there: both try at the marks again. */
void     als_core_mark_again       (AlsVisitCore *self);
/* There is a way. */
void     als_core_end_marks        (AlsVisitCore *self);
/* TRUE when a mark went by. */
gboolean als_core_tick_invitation  (AlsVisitCore *self);

/* als-visit-peer.c */
void     als_core_begin_peer   (AlsVisitCore *self, const uint8_t *session_secret);
void     als_core_end_peer     (AlsVisitCore *self);
/* BYTES: an AlsPeerMessage. FALSE: no way to the other side now. */
gboolean als_core_send_peer    (GBytes *bytes, gpointer user_data);
/* One that is nothing but its type. */
gboolean als_core_say_peer     (AlsVisitCore *self, AlsPeerMessageType type);
/* From the server, sealed; from the session, which is. */
void     als_core_sealed_peer_message (AlsVisitCore *self, const uint8_t *data, size_t len);
void     als_core_peer_message (AlsVisitCore *self, const uint8_t *data, size_t len);

/* als-visit-session.c */
/* The code is proved: the session begins. SECRET is wiped. */
void     als_core_begin_session (AlsVisitCore *self, uint8_t *secret);

/* als-visit-network.c */
void     als_core_begin_network     (AlsVisitCore *self);
/* Finds out, soon, what our network is like, unless that was begun before. */
void     als_core_probe_network     (AlsVisitCore *self);
void     als_core_end_network       (AlsVisitCore *self);
/* What is shown of them stays until then. */
void     als_core_clear_networks    (AlsVisitCore *self);
/* The two were brought together: by whose relay, and which servers help. */
void     als_core_use_pairing       (AlsVisitCore *self, AlsCoreVia via);
/* An AlsNetworkMessage. */
void     als_core_peer_network      (AlsVisitCore *self, const uint8_t *data, size_t len);
/* TRUE when there is something new to tell of how the two are connected. */
gboolean als_core_update_connection (AlsVisitCore *self);

/* als-visit-talk.c */
/* BYTES: an AlsPeerMessage. FALSE: not now. */
gboolean als_core_talk_peer          (AlsVisitCore *self, GBytes *bytes);
/* CHANNEL: the visit channel. */
void     als_core_begin_talk         (AlsVisitCore *self, AlsChannel *channel);
void     als_core_peer_broke_rules   (AlsVisitCore *self);
/* The joiner's is the shorter one, so that both tell the same. */
guint    als_core_get_answer_limit_s (AlsVisitCore *self);

/* als-visit-work.c */
void     als_core_begin_work     (AlsVisitCore *self);
/* A channel that the other side opened. FALSE: not now, or not at all. */
gboolean als_core_take_work      (AlsVisitCore *self, AlsChannel *channel, AlsChannelKind kind);
void     als_core_send_early_files (AlsVisitCore *self);
void     als_core_stop_screen    (AlsVisitCore *self);
void     als_core_transfer_free  (AlsCoreTransfer *self);

/* als-visit-update.c */
void     als_core_tell           (AlsVisitCore *self);
void     als_core_tell_wrong_code (AlsVisitCore *self);
void     als_core_tell_transfer  (AlsCoreTransfer *transfer);

G_END_DECLS
