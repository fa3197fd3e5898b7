/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The one place where networks and attempts at paths become sentences: the
 * window, the command line and the copied report all say the same. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-connection-words.h"

#include <glib/gi18n.h>
#include <string.h>

#include "path/als-ice-uri.h"
#include "path/portmap/als-pcp-codec.h"

/* --- attempts ------------------------------------------------------------------------ */

/* Methods fail in the same way for different reasons: what a silence means depends on who
 * should have spoken. */
typedef enum
{
  BY_SERVER, /* the rendezvous server */
  BY_TURN,
  BY_UDP,
  BY_TCP,
  BY_LAN,
  N_MANNERS,
} Manner;

static const char *const reasons[ALS_N_PATH_PROBLEMS][N_MANNERS] = {
  [ALS_PATH_PROBLEM_NONE] = {
    N_("Not needed so far"), N_("Not needed so far"), N_("Not needed so far"),
    N_("Not needed so far"), N_("Not needed so far") },
  [ALS_PATH_PROBLEM_NO_SERVER] = {
    N_("The two of you met without a rendezvous server"),
    N_("No relay (TURN) server is known"),
    N_("No server is known that could tell our public address (STUN)"),
    N_("No server is known that could tell our public address (STUN)"),
    N_("The other side was not found in the local network") },
  [ALS_PATH_PROBLEM_SERVER_UNREACHABLE] = {
    N_("The rendezvous server does not answer"),
    N_("No relay server answers"),
    N_("No server answers that could tell our public address over UDP"),
    N_("No server answers that could tell our public address over TCP"),
    N_("The local network cannot be reached") },
  [ALS_PATH_PROBLEM_SERVER_REFUSED] = {
    N_("The rendezvous server refuses to pass data on"),
    N_("The relay server refuses us (login or quota)"),
    N_("The server refuses to tell our public address"),
    N_("The server refuses to tell our public address"),
    N_("The local network refuses the connection") },
  [ALS_PATH_PROBLEM_NO_ENDPOINT] = {
    N_("This computer has no way to the rendezvous server"),
    N_("The relay server gave us no address"),
    N_("Our public address for UDP could not be learned"),
    N_("Our public address for TCP could not be learned"),
    N_("This computer has no address in a local network") },
  [ALS_PATH_PROBLEM_PEER_ENDPOINT] = {
    N_("The other side is not at the rendezvous server"),
    N_("The other side reaches no relay server"),
    N_("The other side could not learn its public address for UDP"),
    N_("The other side could not learn its public address for TCP"),
    N_("The other side is not in this local network") },
  [ALS_PATH_PROBLEM_RESETS] = {
    N_("The rendezvous server resets the connection"),
    N_("The relay server resets the connection"),
    N_("The other network refuses packets from outside"),
    N_("The other network sends resets to early connections"),
    N_("The other computer refuses connections from the local network") },
  [ALS_PATH_PROBLEM_SILENCE] = {
    N_("Nothing came back through the rendezvous server"),
    N_("Nothing came back through the relay server"),
    N_("Nothing came through over UDP; a firewall or router drops it"),
    N_("Nothing came through over TCP; a firewall or router drops it"),
    N_("The other computer does not answer in the local network") },
  [ALS_PATH_PROBLEM_UNPREDICTABLE] = {
    N_("Both networks choose ports that cannot be foretold"),
    N_("Both networks choose ports that cannot be foretold"),
    N_("Both networks choose UDP ports that cannot be foretold"),
    N_("Both networks choose TCP ports that cannot be foretold"),
    N_("Both networks choose ports that cannot be foretold") },
  [ALS_PATH_PROBLEM_PROXY] = {
    N_("The proxy of this network does not let us through"),
    N_("The proxy of this network does not let us through to the relay server"),
    N_("Only a proxy leads out of this network, and it carries no UDP"),
    N_("Only a proxy leads out of this network, and nobody can connect to it"),
    N_("Only a proxy leads out of this network") },
  [ALS_PATH_PROBLEM_PEER_GAVE_UP] = {
    N_("The other side gave up on the rendezvous server"),
    N_("The other side gave up on the relay"),
    N_("The other side gave up on UDP"),
    N_("The other side gave up on TCP"),
    N_("The other side gave up on the local network") },
  [ALS_PATH_PROBLEM_STRANGERS] = {
    N_("What answered through the rendezvous server was not the other side"),
    N_("What came in through the relay server was not the other side"),
    N_("Packets came in, but not from the other side"),
    N_("Connections came in, but not from the other side"),
    N_("Connections came in from the local network, but not from the other side") },
  [ALS_PATH_PROBLEM_DIED] = {
    N_("The way through the rendezvous server worked, then went silent"),
    N_("The relay worked, then went silent"),
    N_("It worked, then UDP went silent"),
    N_("It worked, then the connection went silent"),
    N_("It worked, then the local network went silent") },
  [ALS_PATH_PROBLEM_MUCH_WORSE] = {
    N_("It works, but another way is much faster"),
    N_("It works, but another way is much faster"),
    N_("It works, but another way is much faster"),
    N_("It works, but another way is much faster"),
    N_("It works, but another way is much faster") },
  [ALS_PATH_PROBLEM_NOT_ALLOWED] = {
    N_("Switched off by a setting, here or on the other side"),
    N_("Switched off by a setting, here or on the other side"),
    N_("Switched off by a setting, here or on the other side"),
    N_("Switched off by a setting, here or on the other side"),
    N_("Switched off by a setting, here or on the other side") },
  [ALS_PATH_PROBLEM_INTERNAL] = {
    N_("This computer could not open the connection"),
    N_("This computer could not open the connection to the relay server"),
    N_("This computer could not open a UDP socket"),
    N_("This computer could not open a TCP socket"),
    N_("This computer could not open a socket in the local network") },
};

static Manner
get_manner (AlsPathMethod method)
{
  switch (method)
    {
    case ALS_METHOD_SIGNAL_RELAY:
      return BY_SERVER;
    case ALS_METHOD_TURN_TCP:
    case ALS_METHOD_TURN_UDP:
      return BY_TURN;
    case ALS_METHOD_TCP_PUNCH:
      return BY_TCP;
    case ALS_METHOD_LAN:
      return BY_LAN;
    case ALS_METHOD_ICE:
    case ALS_METHOD_UDP_PUNCH:
    case ALS_N_METHODS:
    default:
      return BY_UDP;
    }
}

static const char *
get_reason (const AlsConnectionAttempt *attempt)
{
  guint problem = attempt->report.problem;

  if (problem >= ALS_N_PATH_PROBLEMS)
    problem = ALS_PATH_PROBLEM_INTERNAL;
  return _(reasons[problem][get_manner (attempt->method)]);
}

const char *
als_path_method_get_title (AlsPathMethod method)
{
  switch (method)
    {
    case ALS_METHOD_SIGNAL_RELAY:
      return _("Through the rendezvous server");
    case ALS_METHOD_TURN_TCP:
      return _("Through a relay server, TCP");
    case ALS_METHOD_TURN_UDP:
      return _("Through a relay server, UDP");
    case ALS_METHOD_ICE:
      return _("Direct, UDP");
    case ALS_METHOD_UDP_PUNCH:
      /* Translators: a way to connect: hundreds of ports are tried until two of them meet */
      return _("Direct, UDP, many ports at once");
    case ALS_METHOD_TCP_PUNCH:
      return _("Direct, TCP");
    case ALS_METHOD_LAN:
      return _("Direct, in the local network");
    case ALS_N_METHODS:
    default:
      return _("Unknown");
    }
}

char *
als_connection_words_round_trip (int64_t us)
{
  if (us < 1000)
    return g_strdup (_("under 1 ms"));
  /* Translators: milliseconds */
  return g_strdup_printf (_("%u ms"), (guint) MIN (us / 1000, 999999));
}

static void
append_part (GString *text, const char *part)
{
  if (text->len > 0)
    g_string_append (text, " · ");
  g_string_append (text, part);
}

/* What is known of a path that works. */
static void
append_quality (GString *text, const AlsConnectionAttempt *attempt)
{
  if (attempt->rtt_us > 0)
    {
      g_autofree char *time = als_connection_words_round_trip (attempt->rtt_us);
      /* Translators: %s is a time such as "42 ms" */
      g_autofree char *part = g_strdup_printf (_("round trip %s"), time);

      append_part (text, part);
    }
  if (attempt->is_lan)
    append_part (text, _("within the local network"));
  if (attempt->rate > 0)
    {
      g_autofree char *size = g_format_size (attempt->rate);
      /* Translators: %s is a size such as "1.2 MB"; no more was asked of the path so far */
      g_autofree char *part = g_strdup_printf (_("at least %s a second"), size);

      append_part (text, part);
    }
  if (attempt->mtu > 0)
    {
      g_autofree char *part = g_strdup_printf (ngettext ("packets of %u byte",
                                                         "packets of up to %u bytes", attempt->mtu),
                                               attempt->mtu);

      append_part (text, part);
    }
}

static char *
with_tries (const char *sentence, const AlsConnectionAttempt *attempt)
{
  guint n = attempt->report.tries > 0 ? attempt->report.tries : attempt->n_attempts;

  if (n == 0)
    return g_strdup (sentence);
  /* Translators: %1$s says what happened, such as "Nothing came through over UDP" */
  return g_strdup_printf (ngettext ("%1$s: %2$u try", "%1$s: %2$u tries", n), sentence, n);
}

char *
als_connection_attempt_describe (const AlsConnectionAttempt *self)
{
  GString *text;

  switch (self->state)
    {
    case ALS_ATTEMPT_TRYING:
      return with_tries (_("Being tried"), self);
    case ALS_ATTEMPT_IN_USE:
      text = g_string_new (_("In use"));
      append_quality (text, self);
      return g_string_free (text, FALSE);
    case ALS_ATTEMPT_STANDBY:
      text = g_string_new (self->report.problem == ALS_PATH_PROBLEM_MUCH_WORSE
                             ? get_reason (self) : _("Works, kept in reserve"));
      append_quality (text, self);
      return g_string_free (text, FALSE);
    case ALS_ATTEMPT_FAILED:
      if (self->report.problem == ALS_PATH_PROBLEM_NONE)
        return with_tries (_("It did not work"), self);
      return with_tries (get_reason (self), self);
    case ALS_ATTEMPT_OFF:
    default:
      return g_strdup (get_reason (self));
    }
}

/* --- networks ------------------------------------------------------------------------ */

const char *
als_connection_words_dependence (AlsNatDependence dependence)
{
  switch (dependence)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      return "endpoint-independent";
    case ALS_NAT_ADDRESS_DEPENDENT:
      return "address-dependent";
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      return "address-and-port-dependent";
    case ALS_NAT_UNKNOWN:
    default:
      return "unknown";
    }
}

static const char *
describe_mapping (AlsNatDependence mapping)
{
  switch (mapping)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      return _("endpoint-independent mapping");
    case ALS_NAT_ADDRESS_DEPENDENT:
      return _("address-dependent mapping");
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      return _("address-and-port-dependent mapping");
    case ALS_NAT_UNKNOWN:
    default:
      return _("unknown mapping");
    }
}

static const char *
describe_filtering (AlsNatDependence filtering)
{
  switch (filtering)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      return _("endpoint-independent filtering");
    case ALS_NAT_ADDRESS_DEPENDENT:
      return _("address-dependent filtering");
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      return _("address-and-port-dependent filtering");
    case ALS_NAT_UNKNOWN:
    default:
      return _("unknown filtering");
    }
}

/* (transfer full) */
static char *
describe_udp (gboolean is_known, const AlsNatBehaviour *udp)
{
  if (!is_known)
    return g_strdup (_("Not known: no server was asked"));
  if (udp->is_blocked)
    return g_strdup (_("Blocked: no server answers"));
  if (!udp->is_translated && udp->filtering == ALS_NAT_UNKNOWN)
    return g_strdup (_("No address translation"));
  if (!udp->is_translated)
    /* Translators: %1$s is such as "address-dependent filtering"; %2$s the name in the words of old:
     * "open internet" or "symmetric firewall", which stay English */
    return g_strdup_printf (_("No address translation, %1$s (“%2$s”)"),
                            describe_filtering (udp->filtering),
                            als_nat_behaviour_get_old_name (udp));
  if (udp->mapping == ALS_NAT_UNKNOWN && udp->filtering == ALS_NAT_UNKNOWN)
    return g_strdup (_("Address translation (NAT) whose kind no server could tell"));
  /* Translators: %1$s is such as "endpoint-independent mapping", %2$s such as "address-dependent
   * filtering"; %3$s the name in the words of old, such as "full cone", which stays English */
  return g_strdup_printf (_("NAT with %1$s, %2$s (“%3$s”)"), describe_mapping (udp->mapping),
                          describe_filtering (udp->filtering), als_nat_behaviour_get_old_name (udp));
}

/* (transfer full) */
static char *
describe_tcp6 (const AlsNetworkReport *self)
{
  if (!self->tcp6_known)
    return g_strdup (_("Not known: no server answered"));
  return g_strdup (self->tcp6_is_translated ? _("Address translation (NAT)") : _("No address translation"));
}

/* (transfer full) */
static char *
describe_tcp (const AlsNetworkReport *self)
{
  if (!self->tcp_known)
    return g_strdup (_("Not known: no server answered"));
  if (!self->tcp_is_translated)
    return g_strdup (_("No address translation"));
  switch (self->tcp_mapping)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      return g_strdup (_("NAT with endpoint-independent mapping: the public port stays the same"));
    case ALS_NAT_ADDRESS_DEPENDENT:
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      if (self->tcp_port_step == 0)
        /* Translators: %s is such as "address-dependent mapping" */
        return g_strdup_printf (_("NAT with %s: the public port cannot be foretold"),
                                describe_mapping (self->tcp_mapping));
      /* Translators: %1$s is such as "address-dependent mapping", %2$+d a number with its sign */
      return g_strdup_printf (_("NAT with %1$s: the public port moves by %2$+d each time"),
                              describe_mapping (self->tcp_mapping), self->tcp_port_step);
    case ALS_NAT_UNKNOWN:
    default:
      return g_strdup (_("Address translation (NAT) whose kind no server could tell"));
    }
}

/* The router's own reason, in the words of its protocols. */
static const char *
describe_refusal (guint result)
{
  switch (result)
    {
    case ALS_PCP_NOT_AUTHORIZED:
      return _("The router refused: its settings do not allow port mapping");
    case ALS_PCP_NETWORK_FAILURE:
      return _("The router refused: it has no connection to the internet itself");
    case ALS_PCP_NO_RESOURCES:
      return _("The router refused: it has no port left; restarting it may help");
    case ALS_PCP_USER_EX_QUOTA:
      return _("The router refused: this computer has too many ports already");
    case ALS_PCP_CANNOT_PROVIDE_EXTERNAL:
      return _("The router refused: it has no public address to give");
    case ALS_PCP_ADDRESS_MISMATCH:
      return _("The router refused: another router stands between it and this computer");
    default:
      return _("The router refused");
    }
}

static const char *
describe_no_mapping (const AlsNetworkReport *self)
{
  if (!self->mapping_asked)
    return _("The router opened none");
  switch (self->mapping_problem)
    {
    case ALS_PORT_MAP_PROBLEM_NO_ROUTER:
      return _("There is no router that could open one");
    case ALS_PORT_MAP_PROBLEM_SILENCE:
      return _("The router does not answer: PCP, NAT-PMP and UPnP are switched off in it, or unknown to it");
    case ALS_PORT_MAP_PROBLEM_REFUSED:
      return describe_refusal (self->mapping_refusal);
    case ALS_PORT_MAP_PROBLEM_PRIVATE:
      return _("The router opened one, but it is itself behind another router or the provider’s NAT");
    case ALS_PORT_MAP_PROBLEM_NONE:
    default:
      return _("The router opened none");
    }
}

static char *
describe_mappings (const AlsNetworkReport *self)
{
  static const struct
  {
    AlsPortMapProtocol protocol;
    const char *name;
  } protocols[] = {
    { ALS_PORT_MAP_PCP, "PCP" },
    { ALS_PORT_MAP_NAT_PMP, "NAT-PMP" },
    { ALS_PORT_MAP_UPNP, "UPnP" },
  };
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (protocols); i++)
    if ((self->mappings & protocols[i].protocol) != 0)
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", protocols[i].name);
  if (names->len == 0)
    return g_strdup (describe_no_mapping (self));
  /* Translators: %s is a list such as "PCP, UPnP" */
  return g_strdup_printf (_("The router opened one (%s)"), names->str);
}

static const char *
describe_families (const AlsNetworkReport *self)
{
  if (self->has_ipv4 && self->has_ipv6)
    return _("IPv4 and IPv6");
  if (self->has_ipv4)
    return _("IPv4 only");
  if (self->has_ipv6)
    return _("IPv6 only");
  return _("No way to the internet");
}

static void
add_fact (GPtrArray *facts, const char *name, const char *title, char *sentence)
{
  AlsNetworkFact *fact = g_new0 (AlsNetworkFact, 1);

  fact->name = name;
  fact->title = title;
  fact->sentence = sentence;
  g_ptr_array_add (facts, fact);
}

void
als_network_fact_free (AlsNetworkFact *self)
{
  g_free (self->sentence);
  g_free (self);
}

GPtrArray *
als_network_report_list_facts (const AlsNetworkReport *self)
{
  GPtrArray *facts = g_ptr_array_new_with_free_func ((GDestroyNotify) als_network_fact_free);

  add_fact (facts, "udp", _("UDP"), describe_udp (self->udp_known, &self->udp));
  add_fact (facts, "tcp", _("TCP"), describe_tcp (self));
  if (self->udp6_known || self->tcp6_known)
    {
      add_fact (facts, "udp-ipv6", _("UDP over IPv6"), describe_udp (self->udp6_known, &self->udp6));
      add_fact (facts, "tcp-ipv6", _("TCP over IPv6"), describe_tcp6 (self));
    }
  add_fact (facts, "addresses", _("Internet"), g_strdup (describe_families (self)));
  add_fact (facts, "port-mapping", _("Port mapping"), describe_mappings (self));
  add_fact (facts, "proxy", _("Proxy"),
            g_strdup (self->uses_proxy ? _("A proxy leads to the servers") : _("None")));
  if (self->mtu > 0)
    add_fact (facts, "mtu", _("Largest packet"),
              g_strdup_printf (ngettext ("%u byte", "%u bytes", self->mtu), self->mtu));
  if (self->server_rtt_us > 0)
    add_fact (facts, "server-rtt", _("Round trip to the nearest server"),
              als_connection_words_round_trip (self->server_rtt_us));
  return facts;
}

/* --- servers ------------------------------------------------------------------------- */

char *
als_connection_describe_bad_server (const char *text, const GError *error)
{
  /* What follows the question mark may be a login. */
  g_autofree char *cut = g_strndup (text, MIN (strcspn (text, "?"), 80));
  g_autofree char *shown = g_utf8_make_valid (cut, -1);

  switch (error->domain == ALS_ICE_URI_ERROR ? error->code : ALS_ICE_URI_ERROR_SCHEME)
    {
    /* Translators: %s in each is what was typed; stun:, turn: and the rest stay as they are */
    case ALS_ICE_URI_ERROR_HOST:
      return g_strdup_printf (_("“%s” has no usable host: write stun:example.org or stun:[2001:db8::1]"), shown);
    case ALS_ICE_URI_ERROR_PORT:
      return g_strdup_printf (_("“%s” has no usable port: a number from 1 to 65535 follows the host"), shown);
    case ALS_ICE_URI_ERROR_LOGIN:
      return g_strdup_printf (_("“%s”: turn: needs ?username=NAME&credential=PASSWORD, and stun: takes no login"), shown);
    case ALS_ICE_URI_ERROR_PARAMETER:
      return g_strdup_printf (_("“%s”: only username, credential and transport=udp or tcp may follow the question mark"), shown);
    case ALS_ICE_URI_ERROR_SCHEME:
    default:
      return g_strdup_printf (_("“%s” is no server: it starts with stun:, turn: or turns:"), shown);
    }
}
