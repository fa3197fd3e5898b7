/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The report's data, what follows from it (advice), and its forms for
 * copying. The sentences are als-connection-words.c's. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-connection-report.h"

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>

#include "path/portmap/als-pcp-codec.h"
#include "visit/als-connection-words.h"

G_DEFINE_BOXED_TYPE (AlsConnectionReport, als_connection_report, als_connection_report_ref,
                     als_connection_report_unref)

AlsConnectionReport *
als_connection_report_new (void)
{
  AlsConnectionReport *self = g_new0 (AlsConnectionReport, 1);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

AlsConnectionReport *
als_connection_report_ref (AlsConnectionReport *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
als_connection_report_unref (AlsConnectionReport *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->ours, als_network_report_free);
  g_clear_pointer (&self->theirs, als_network_report_free);
  g_free (self);
}

AlsPathKind
als_path_method_get_kind (AlsPathMethod method)
{
  switch (method)
    {
    case ALS_METHOD_SIGNAL_RELAY:
      return ALS_PATH_SIGNAL_RELAY;
    case ALS_METHOD_TURN_TCP:
      return ALS_PATH_TURN_TCP;
    case ALS_METHOD_TURN_UDP:
      return ALS_PATH_TURN_UDP;
    case ALS_METHOD_ICE:
    case ALS_METHOD_UDP_PUNCH:
      return ALS_PATH_DIRECT_UDP;
    case ALS_METHOD_TCP_PUNCH:
    case ALS_METHOD_LAN:
      return ALS_PATH_DIRECT_TCP;
    case ALS_N_METHODS:
    default:
      return ALS_PATH_NONE;
    }
}

const char *
als_path_method_to_string (AlsPathMethod method)
{
  static const char *const names[ALS_N_METHODS] = {
    "signal-relay", "turn-tcp", "turn-udp", "ice", "udp-punch", "tcp-punch", "lan",
  };

  return (guint) method < ALS_N_METHODS ? names[method] : "unknown";
}

const char *
als_attempt_state_to_string (AlsAttemptState state)
{
  static const char *const names[] = { "off", "trying", "standby", "in-use", "failed" };

  return (guint) state < G_N_ELEMENTS (names) ? names[state] : "unknown";
}

const AlsConnectionAttempt *
als_connection_report_get_used (const AlsConnectionReport *self)
{
  for (guint i = 0; i < MIN (self->n_attempts, ALS_N_METHODS); i++)
    if (self->attempts[i].state == ALS_ATTEMPT_IN_USE)
      return &self->attempts[i];
  return NULL;
}

/* --- advice -------------------------------------------------------------------------- */

static gboolean
is_udp_blocked (const AlsNetworkReport *network)
{
  return network != NULL && network->udp_known && network->udp.is_blocked;
}

static gboolean
is_dependent (AlsNatDependence mapping)
{
  return mapping == ALS_NAT_ADDRESS_DEPENDENT || mapping == ALS_NAT_ADDRESS_AND_PORT_DEPENDENT;
}

/* Its public ports cannot be told to the other side beforehand. */
static gboolean
is_unpredictable (const AlsNetworkReport *network)
{
  return network != NULL && network->mappings == 0 && network->udp_known
         && is_dependent (network->udp.mapping)
         && (!network->tcp_known || (is_dependent (network->tcp_mapping) && network->tcp_port_step == 0));
}

static gboolean
has_problem (const AlsConnectionReport *self, AlsPathProblem problem, gboolean direct_only)
{
  for (guint i = 0; i < MIN (self->n_attempts, ALS_N_METHODS); i++)
    if (self->attempts[i].report.problem == problem
        && (self->attempts[i].state == ALS_ATTEMPT_OFF || self->attempts[i].state == ALS_ATTEMPT_FAILED)
        && (!direct_only || als_path_method_get_kind (self->attempts[i].method) >= ALS_PATH_DIRECT_UDP))
      return TRUE;
  return FALSE;
}

static const char *
advise_networks (const AlsConnectionReport *self)
{
  const AlsNetworkReport *ours = self->ours, *theirs = self->theirs;

  if (ours != NULL && !ours->has_ipv4 && !ours->has_ipv6)
    return _("This computer has no way to the internet. Check the cable or the Wi-Fi.");
  if (is_udp_blocked (ours) && ours->uses_proxy && !ours->tcp_known)
    return _("Your network lets nothing but web traffic through. Ask its administrator to allow UDP, or at least outgoing TCP connections, or use another network.");
  if (is_udp_blocked (ours) && !ours->tcp_known)
    return _("Your network lets neither UDP nor TCP through to the servers that help to connect directly. Ask its administrator to allow UDP, or use another network.");
  if (is_udp_blocked (ours) && is_udp_blocked (theirs))
    return _("Both networks block UDP. Ask one of the administrators to allow it, or use another network on one side.");
  if (is_udp_blocked (ours))
    return _("Your network blocks UDP. Ask its administrator to allow it, or use another network.");
  if (is_unpredictable (ours) && is_unpredictable (theirs))
    return _("Both networks choose unpredictable ports; one of you could use another network, or allow port mapping (UPnP) in the router.");
  if (is_udp_blocked (theirs))
    return _("The other network blocks UDP. Its administrator could allow it, or the other side could use another network.");
  if (is_unpredictable (ours))
    return _("Your network chooses unpredictable ports. Allow port mapping (UPnP, NAT-PMP or PCP) in the router, or use another network.");
  if (is_unpredictable (theirs))
    return _("The other network chooses unpredictable ports. Its router could allow port mapping (UPnP, NAT-PMP or PCP), or the other side could use another network.");
  return NULL;
}

static const char *
advise_attempts (const AlsConnectionReport *self)
{
  if (has_problem (self, ALS_PATH_PROBLEM_NOT_ALLOWED, TRUE))
    return _("A setting on one side forbids direct connections.");
  if (has_problem (self, ALS_PATH_PROBLEM_NO_SERVER, FALSE))
    return _("Add a STUN or TURN server in the preferences, or ask whoever runs your rendezvous server to offer one.");
  if (has_problem (self, ALS_PATH_PROBLEM_SERVER_UNREACHABLE, FALSE))
    return _("The helping (STUN and TURN) servers do not answer. Look at their addresses, or ask your network’s administrator to allow port 3478.");
  if (has_problem (self, ALS_PATH_PROBLEM_SERVER_REFUSED, FALSE))
    return _("The relay server refused. Ask whoever runs it about its login and limits.");
  if (has_problem (self, ALS_PATH_PROBLEM_RESETS, TRUE) || has_problem (self, ALS_PATH_PROBLEM_SILENCE, TRUE))
    return _("A firewall is in the way. Allow port mapping (UPnP, NAT-PMP or PCP) in the router of one side, or allow Alongside in its firewall.");
  return NULL;
}

char *
als_connection_report_advise (const AlsConnectionReport *self)
{
  const AlsConnectionAttempt *used = als_connection_report_get_used (self);
  const char *networks, *attempts = NULL;

  if (used != NULL && als_path_method_get_kind (used->method) >= ALS_PATH_DIRECT_UDP)
    return NULL; /* nothing is better than direct */
  networks = advise_networks (self);
  if (networks == NULL || has_problem (self, ALS_PATH_PROBLEM_NOT_ALLOWED, TRUE))
    attempts = advise_attempts (self);
  if (networks != NULL && attempts != NULL)
    /* Translators: two sentences, one after the other */
    return g_strdup_printf (_("%1$s %2$s"), attempts, networks);
  return g_strdup (networks != NULL ? networks : attempts);
}

/* --- as text --------------------------------------------------------------------------- */

static void
append_network (GString *text, const char *title, const AlsNetworkReport *network)
{
  g_autoptr (GPtrArray) facts = NULL;

  g_string_append_printf (text, "\n%s\n", title);
  if (network == NULL)
    {
      g_string_append_printf (text, "  %s\n", _("Not known yet"));
      return;
    }
  facts = als_network_report_list_facts (network);
  for (guint i = 0; i < facts->len; i++)
    {
      const AlsNetworkFact *fact = g_ptr_array_index (facts, i);

      /* Translators: a title and a sentence, such as "UDP: Blocked" */
      g_string_append_printf (text, _("  %1$s: %2$s"), fact->title, fact->sentence);
      g_string_append_c (text, '\n');
    }
}

char *
als_connection_report_to_text (const AlsConnectionReport *self)
{
  GString *text = g_string_new (NULL);
  g_autofree char *advice = als_connection_report_advise (self);

  g_string_append_printf (text, "Alongside %s\n", PACKAGE_VERSION);
  if (self->n_attempts > 0)
    g_string_append_printf (text, "\n%s\n", _("Ways to the other side"));
  for (guint i = 0; i < MIN (self->n_attempts, ALS_N_METHODS); i++)
    {
      g_autofree char *sentence = als_connection_attempt_describe (&self->attempts[i]);

      g_string_append_printf (text, _("  %1$s: %2$s"),
                              als_path_method_get_title (self->attempts[i].method), sentence);
      g_string_append_c (text, '\n');
    }
  append_network (text, _("This network"), self->ours);
  if (self->theirs != NULL || self->n_attempts > 0)
    append_network (text, _("The other network"), self->theirs);
  if (advice != NULL)
    g_string_append_printf (text, "\n%s\n  %s\n", _("What would help"), advice);
  return g_string_free (text, FALSE);
}

/* --- as JSON --------------------------------------------------------------------------- */

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_flag (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static void
add_number (JsonBuilder *builder, const char *name, int64_t value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* 0: not known. */
static void
add_time_ms (JsonBuilder *builder, const char *name, int64_t us)
{
  json_builder_set_member_name (builder, name);
  if (us > 0)
    json_builder_add_double_value (builder, (double) us / 1000);
  else
    json_builder_add_null_value (builder);
}

static void
add_mappings (JsonBuilder *builder, guint mappings)
{
  json_builder_set_member_name (builder, "mappings");
  json_builder_begin_array (builder);
  if ((mappings & ALS_PORT_MAP_PCP) != 0)
    json_builder_add_string_value (builder, "pcp");
  if ((mappings & ALS_PORT_MAP_NAT_PMP) != 0)
    json_builder_add_string_value (builder, "nat-pmp");
  if ((mappings & ALS_PORT_MAP_UPNP) != 0)
    json_builder_add_string_value (builder, "upnp");
  json_builder_end_array (builder);
}

static void
add_udp (JsonBuilder *builder, const char *name, gboolean is_known, const AlsNatBehaviour *udp)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  add_flag (builder, "known", is_known);
  add_flag (builder, "blocked", is_known && udp->is_blocked);
  add_flag (builder, "translated", udp->is_translated);
  add_text (builder, "mapping", als_connection_words_dependence (udp->mapping));
  add_text (builder, "filtering", als_connection_words_dependence (udp->filtering));
  add_text (builder, "old_name", is_known ? als_nat_behaviour_get_old_name (udp) : NULL);
  json_builder_end_object (builder);
}

static void
add_network (JsonBuilder *builder, const char *name, const AlsNetworkReport *network)
{
  g_autoptr (GPtrArray) facts = NULL;

  json_builder_set_member_name (builder, name);
  if (network == NULL)
    {
      json_builder_add_null_value (builder);
      return;
    }
  json_builder_begin_object (builder);
  add_udp (builder, "udp", network->udp_known, &network->udp);
  add_udp (builder, "udp_ipv6", network->udp6_known, &network->udp6);
  json_builder_set_member_name (builder, "tcp");
  json_builder_begin_object (builder);
  add_flag (builder, "known", network->tcp_known);
  add_flag (builder, "translated", network->tcp_is_translated);
  add_text (builder, "mapping", als_connection_words_dependence (network->tcp_mapping));
  add_number (builder, "port_step", network->tcp_port_step);
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "tcp_ipv6");
  json_builder_begin_object (builder);
  add_flag (builder, "known", network->tcp6_known);
  add_flag (builder, "translated", network->tcp6_is_translated);
  json_builder_end_object (builder);
  add_mappings (builder, network->mappings);
  add_text (builder, "mapping_problem",
            network->mapping_asked ? als_port_map_problem_to_string (network->mapping_problem) : NULL);
  add_text (builder, "mapping_refusal",
            network->mapping_refusal != 0 ? als_pcp_result_to_string (network->mapping_refusal) : NULL);
  add_flag (builder, "ipv4", network->has_ipv4);
  add_flag (builder, "ipv6", network->has_ipv6);
  add_flag (builder, "proxy", network->uses_proxy);
  add_number (builder, "mtu", network->mtu);
  add_time_ms (builder, "server_rtt_ms", network->server_rtt_us);
  facts = als_network_report_list_facts (network);
  json_builder_set_member_name (builder, "sentences");
  json_builder_begin_object (builder);
  for (guint i = 0; i < facts->len; i++)
    {
      const AlsNetworkFact *fact = g_ptr_array_index (facts, i);

      add_text (builder, fact->name, fact->sentence);
    }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

static void
add_attempt (JsonBuilder *builder, const AlsConnectionAttempt *attempt)
{
  g_autofree char *sentence = als_connection_attempt_describe (attempt);

  json_builder_begin_object (builder);
  add_text (builder, "method", als_path_method_to_string (attempt->method));
  add_text (builder, "kind", als_path_kind_to_string (als_path_method_get_kind (attempt->method)));
  add_text (builder, "state", als_attempt_state_to_string (attempt->state));
  add_text (builder, "problem", als_path_problem_to_string (attempt->report.problem));
  add_number (builder, "rounds", attempt->n_attempts);
  add_number (builder, "tries", attempt->report.tries);
  add_number (builder, "resets", attempt->report.resets);
  add_number (builder, "strangers", attempt->report.strangers);
  add_time_ms (builder, "took_ms", attempt->report.took_us);
  add_time_ms (builder, "rtt_ms", attempt->rtt_us);
  add_number (builder, "rate", attempt->rate > G_MAXINT64 ? G_MAXINT64 : (int64_t) attempt->rate);
  add_number (builder, "mtu", attempt->mtu);
  add_flag (builder, "lan", attempt->is_lan);
  add_text (builder, "sentence", sentence);
  json_builder_end_object (builder);
}

char *
als_connection_report_to_json (const AlsConnectionReport *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new_immutable ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *advice = als_connection_report_advise (self);
  const AlsConnectionAttempt *used = als_connection_report_get_used (self);

  json_builder_begin_object (builder);
  add_text (builder, "version", PACKAGE_VERSION);
  add_text (builder, "in_use", used != NULL ? als_path_method_to_string (used->method) : NULL);
  json_builder_set_member_name (builder, "attempts");
  json_builder_begin_array (builder);
  for (guint i = 0; i < MIN (self->n_attempts, ALS_N_METHODS); i++)
    add_attempt (builder, &self->attempts[i]);
  json_builder_end_array (builder);
  add_network (builder, "ours", self->ours);
  add_network (builder, "theirs", self->theirs);
  add_text (builder, "advice", advice);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, NULL);
}
