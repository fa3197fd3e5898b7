/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-test"

#include "config.h"

#include "path/portmap/als-pcp-codec.h"
#include "visit/als-connection-report.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "path/als-ice-uri.h"

static AlsNetworkReport *
make_network (AlsNatDependence mapping, AlsNatDependence filtering)
{
  AlsNetworkReport network = { 0 };

  network.udp_known = network.tcp_known = TRUE;
  network.udp.is_translated = network.tcp_is_translated = TRUE;
  network.udp.mapping = network.tcp_mapping = mapping;
  network.udp.filtering = filtering;
  g_assert_true (als_stun_address_parse (&network.udp.endpoints[0], "198.51.100.77", 40123));
  network.has_ipv4 = TRUE;
  return als_network_report_copy (&network);
}

static void
add_attempt (AlsConnectionReport *report, AlsPathMethod method, AlsAttemptState state,
             AlsPathProblem problem)
{
  AlsConnectionAttempt *attempt = &report->attempts[report->n_attempts++];

  attempt->method = method;
  attempt->state = state;
  attempt->report.problem = problem;
}

static void
test_every_failure_has_a_sentence (void)
{
  for (guint method = 0; method < ALS_N_METHODS; method++)
    {
      g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

      for (guint problem = 0; problem < ALS_N_PATH_PROBLEMS; problem++)
        {
          AlsConnectionAttempt attempt = { .method = method, .state = ALS_ATTEMPT_FAILED };
          g_autofree char *one = NULL, *many = NULL;

          attempt.report.problem = problem;
          one = als_connection_attempt_describe (&attempt);
          g_assert_true (g_utf8_strlen (one, -1) > 10 && g_ascii_isupper (*one));
          /* No two problems of a method sound alike. */
          g_assert_true (g_hash_table_add (seen, g_strdup (one)));
          attempt.report.tries = 6;
          many = als_connection_attempt_describe (&attempt);
          g_assert_true (g_str_has_prefix (many, one) && g_str_has_suffix (many, ": 6 tries"));
        }
    }
}

static void
test_every_state_has_a_sentence (void)
{
  for (guint method = 0; method < ALS_N_METHODS; method++)
    for (guint state = ALS_ATTEMPT_OFF; state <= ALS_ATTEMPT_FAILED; state++)
      for (guint problem = 0; problem < ALS_N_PATH_PROBLEMS; problem++)
        {
          AlsConnectionAttempt attempt = { .method = method, .state = state, .rtt_us = 42 * 1000 };
          g_autofree char *sentence = NULL;

          attempt.report.problem = problem;
          sentence = als_connection_attempt_describe (&attempt);
          g_assert_cmpuint (strlen (sentence), >, 5);
          if (state == ALS_ATTEMPT_IN_USE || state == ALS_ATTEMPT_STANDBY)
            g_assert_nonnull (strstr (sentence, "42 ms"));
        }
}

static void
test_resets_in_plain_words (void)
{
  AlsConnectionAttempt attempt = { .method = ALS_METHOD_TCP_PUNCH, .state = ALS_ATTEMPT_FAILED };
  g_autofree char *many = NULL, *one = NULL;

  attempt.report.problem = ALS_PATH_PROBLEM_RESETS;
  attempt.report.tries = 6;
  many = als_connection_attempt_describe (&attempt);
  g_assert_cmpstr (many, ==, "The other network sends resets to early connections: 6 tries");
  attempt.report.tries = 1;
  one = als_connection_attempt_describe (&attempt);
  g_assert_cmpstr (one, ==, "The other network sends resets to early connections: 1 try");
}

static void
test_path_in_use_tells_its_quality (void)
{
  AlsConnectionAttempt attempt = {
    .method = ALS_METHOD_LAN, .state = ALS_ATTEMPT_IN_USE, .is_lan = TRUE, .rtt_us = 400,
    .rate = 12 * 1000 * 1000, .mtu = 1472,
  };
  g_autofree char *sentence = als_connection_attempt_describe (&attempt);

  g_assert_nonnull (strstr (sentence, "In use"));
  g_assert_nonnull (strstr (sentence, "under 1 ms"));
  g_assert_nonnull (strstr (sentence, "within the local network"));
  g_assert_nonnull (strstr (sentence, "12.0"));
  g_assert_nonnull (strstr (sentence, "1472 bytes"));
}

static void
test_values_from_a_stranger_are_bounded (void)
{
  AlsConnectionAttempt attempt = { .method = 200, .state = 99, .rtt_us = G_MAXINT64 };
  g_autofree char *sentence = NULL;
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autofree char *json = NULL, *text = NULL;

  attempt.report.problem = 1000;
  sentence = als_connection_attempt_describe (&attempt);
  g_assert_cmpuint (strlen (sentence), >, 5);
  report->n_attempts = 1000;
  report->attempts[0] = attempt;
  report->attempts[0].rate = G_MAXUINT64;
  report->ours = make_network (77, 78);
  report->ours->tcp_mapping = 79;
  json = als_connection_report_to_json (report);
  text = als_connection_report_to_text (report);
  g_assert_nonnull (json);
  g_assert_nonnull (text);
}

static void
test_kinds_and_names (void)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) titles = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint method = 0; method < ALS_N_METHODS; method++)
    {
      g_assert_cmpint (als_path_method_get_kind (method), !=, ALS_PATH_NONE);
      g_assert_true (g_hash_table_add (names, (gpointer) als_path_method_to_string (method)));
      g_assert_true (g_hash_table_add (titles, (gpointer) als_path_method_get_title (method)));
    }
  g_assert_cmpint (als_path_method_get_kind (ALS_METHOD_LAN), ==, ALS_PATH_DIRECT_TCP);
  g_assert_cmpint (als_path_method_get_kind (ALS_METHOD_UDP_PUNCH), ==, ALS_PATH_DIRECT_UDP);
}

static const char *
find_fact (GPtrArray *facts, const char *name)
{
  for (guint i = 0; i < facts->len; i++)
    {
      const AlsNetworkFact *fact = g_ptr_array_index (facts, i);

      if (g_str_equal (fact->name, name))
        return fact->sentence;
    }
  return "";
}

static void
test_nat_has_its_new_and_its_old_name (void)
{
  static const struct
  {
    AlsNatDependence mapping, filtering;
    const char *sentence;
  } cases[] = {
    { ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ENDPOINT_INDEPENDENT,
      "NAT with endpoint-independent mapping, endpoint-independent filtering (“full cone”)" },
    { ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ADDRESS_DEPENDENT,
      "NAT with endpoint-independent mapping, address-dependent filtering (“restricted cone”)" },
    { ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT,
      "NAT with endpoint-independent mapping, address-and-port-dependent filtering (“port-restricted cone”)" },
    { ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT,
      "NAT with address-and-port-dependent mapping, address-and-port-dependent filtering (“symmetric”)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsNetworkReport) network = make_network (cases[i].mapping, cases[i].filtering);
      g_autoptr (GPtrArray) facts = als_network_report_list_facts (network);

      g_assert_cmpstr (find_fact (facts, "udp"), ==, cases[i].sentence);
    }
}

static void
test_tcp_steps_are_told (void)
{
  g_autoptr (AlsNetworkReport) network = make_network (ALS_NAT_ADDRESS_AND_PORT_DEPENDENT,
                                                       ALS_NAT_UNKNOWN);
  g_autoptr (GPtrArray) random = als_network_report_list_facts (network), steps = NULL;

  g_assert_nonnull (strstr (find_fact (random, "tcp"), "cannot be foretold"));
  network->tcp_port_step = 2;
  steps = als_network_report_list_facts (network);
  g_assert_nonnull (strstr (find_fact (steps, "tcp"), "moves by +2"));
}

static void
test_blocked_and_unknown_differ (void)
{
  AlsNetworkReport network = { 0 };
  g_autoptr (GPtrArray) unknown = als_network_report_list_facts (&network), blocked = NULL;

  network.udp_known = network.udp.is_blocked = TRUE;
  network.mappings = ALS_PORT_MAP_PCP | ALS_PORT_MAP_UPNP;
  blocked = als_network_report_list_facts (&network);
  g_assert_nonnull (strstr (find_fact (unknown, "udp"), "Not known"));
  g_assert_nonnull (strstr (find_fact (blocked, "udp"), "Blocked"));
  g_assert_nonnull (strstr (find_fact (blocked, "port-mapping"), "PCP, UPnP"));
}

static void
test_routers_say_why (void)
{
  static const struct
  {
    AlsPortMapProblem problem;
    guint refusal;
    const char *words;
  } cases[] = {
    { ALS_PORT_MAP_PROBLEM_NO_ROUTER, 0, "There is no router" },
    { ALS_PORT_MAP_PROBLEM_SILENCE, 0, "UPnP are switched off" },
    { ALS_PORT_MAP_PROBLEM_REFUSED, 0, "The router refused" },
    { ALS_PORT_MAP_PROBLEM_REFUSED, ALS_PCP_NOT_AUTHORIZED, "do not allow port mapping" },
    { ALS_PORT_MAP_PROBLEM_REFUSED, ALS_PCP_NO_RESOURCES, "no port left" },
    { ALS_PORT_MAP_PROBLEM_REFUSED, ALS_PCP_ADDRESS_MISMATCH, "another router" },
    { ALS_PORT_MAP_PROBLEM_PRIVATE, 0, "provider’s NAT" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
      g_autoptr (GPtrArray) facts = NULL;
      g_autofree char *text = NULL, *json = NULL;

      report->ours = make_network (ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_UNKNOWN);
      report->ours->mapping_asked = TRUE;
      report->ours->mapping_problem = cases[i].problem;
      report->ours->mapping_refusal = cases[i].refusal;
      facts = als_network_report_list_facts (report->ours);
      g_assert_nonnull (strstr (find_fact (facts, "port-mapping"), cases[i].words));
      text = als_connection_report_to_text (report);
      g_assert_nonnull (strstr (text, cases[i].words));
      json = als_connection_report_to_json (report);
      g_assert_nonnull (strstr (json, als_port_map_problem_to_string (cases[i].problem)));
    }
}

/* Existing readers find what they found. */
static void
test_both_families (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autoptr (GPtrArray) facts = NULL;
  g_autofree char *json = NULL;

  report->ours = make_network (ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_UNKNOWN);
  report->ours->udp6_known = report->ours->tcp6_known = TRUE;
  report->ours->udp6.filtering = ALS_NAT_ADDRESS_AND_PORT_DEPENDENT;
  facts = als_network_report_list_facts (report->ours);
  g_assert_nonnull (strstr (find_fact (facts, "udp"), "endpoint-independent mapping"));
  g_assert_nonnull (strstr (find_fact (facts, "udp-ipv6"), "No address translation, address-and-port"));
  g_assert_cmpstr (find_fact (facts, "tcp-ipv6"), ==, "No address translation");
  json = als_connection_report_to_json (report);
  g_assert_nonnull (strstr (json, "\"udp_ipv6\""));
  g_assert_nonnull (strstr (json, "\"udp\""));
}

static void
test_direct_path_needs_no_advice (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();

  report->ours = make_network (ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, ALS_NAT_UNKNOWN);
  add_attempt (report, ALS_METHOD_ICE, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE);
  g_assert_null (als_connection_report_advise (report));
}

static void
test_two_hard_networks_are_advised (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autofree char *advice = NULL, *one_sided = NULL;

  report->ours = make_network (ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, ALS_NAT_UNKNOWN);
  report->theirs = make_network (ALS_NAT_ADDRESS_DEPENDENT, ALS_NAT_UNKNOWN);
  add_attempt (report, ALS_METHOD_TURN_TCP, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE);
  add_attempt (report, ALS_METHOD_ICE, ALS_ATTEMPT_FAILED, ALS_PATH_PROBLEM_SILENCE);
  advice = als_connection_report_advise (report);
  g_assert_cmpstr (advice, ==,
                   "Both networks choose unpredictable ports; one of you could use another "
                   "network, or allow port mapping (UPnP) in the router.");
  /* A mapping on our side mends our half. */
  report->ours->mappings = ALS_PORT_MAP_UPNP;
  one_sided = als_connection_report_advise (report);
  g_assert_true (g_str_has_prefix (one_sided, "The other network"));
}

static void
test_web_only_network_is_advised (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autofree char *advice = NULL;
  AlsNetworkReport network = { 0 };

  network.has_ipv4 = network.uses_proxy = TRUE;
  network.udp_known = network.udp.is_blocked = TRUE;
  report->ours = als_network_report_copy (&network);
  add_attempt (report, ALS_METHOD_SIGNAL_RELAY, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE);
  advice = als_connection_report_advise (report);
  g_assert_true (g_str_has_prefix (advice, "Your network lets nothing but web traffic through. Ask its administrator to allow UDP"));
}

static void
test_forbidden_by_setting_is_said_first (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autofree char *advice = NULL;

  add_attempt (report, ALS_METHOD_SIGNAL_RELAY, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE);
  add_attempt (report, ALS_METHOD_ICE, ALS_ATTEMPT_OFF, ALS_PATH_PROBLEM_NOT_ALLOWED);
  advice = als_connection_report_advise (report);
  g_assert_cmpstr (advice, ==, "A setting on one side forbids direct connections.");
}

static void
test_copied_report_holds_no_address (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autofree char *text = NULL, *json = NULL;

  report->ours = make_network (ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ADDRESS_DEPENDENT);
  report->theirs = make_network (ALS_NAT_ADDRESS_DEPENDENT, ALS_NAT_ADDRESS_DEPENDENT);
  for (guint method = 0; method < ALS_N_METHODS; method++)
    add_attempt (report, method, method == 0 ? ALS_ATTEMPT_IN_USE : ALS_ATTEMPT_FAILED,
                 ALS_PATH_PROBLEM_SILENCE);
  text = als_connection_report_to_text (report);
  json = als_connection_report_to_json (report);
  g_assert_null (strstr (text, "198.51"));
  g_assert_null (strstr (text, "40123"));
  g_assert_null (strstr (json, "198.51"));
  g_assert_null (strstr (json, "40123"));
  for (guint method = 0; method < ALS_N_METHODS; method++)
    g_assert_nonnull (strstr (text, als_path_method_get_title (method)));
  g_assert_nonnull (strstr (text, "restricted cone"));
  g_assert_nonnull (strstr (text, "What would help"));
}

static void
test_json_can_be_read_back (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) error = NULL;
  g_autofree char *json = NULL;
  JsonObject *root, *attempt;

  report->ours = make_network (ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ADDRESS_DEPENDENT);
  add_attempt (report, ALS_METHOD_TCP_PUNCH, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE);
  report->attempts[0].rtt_us = 12500;
  json = als_connection_report_to_json (report);
  json_parser_load_from_data (parser, json, -1, &error);
  g_assert_no_error (error);
  root = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpstr (json_object_get_string_member (root, "in_use"), ==, "tcp-punch");
  g_assert_true (json_object_get_null_member (root, "theirs"));
  g_assert_cmpstr (json_object_get_string_member (
                     json_object_get_object_member (
                       json_object_get_object_member (root, "ours"), "udp"), "old_name"),
                   ==, "restricted cone");
  attempt = json_array_get_object_element (json_object_get_array_member (root, "attempts"), 0);
  g_assert_cmpstr (json_object_get_string_member (attempt, "kind"), ==, "direct-tcp");
  g_assert_cmpfloat (json_object_get_double_member (attempt, "rtt_ms"), ==, 12.5);
}

static void
test_empty_report_is_told (void)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  AlsConnectionReport *again = g_boxed_copy (ALS_TYPE_CONNECTION_REPORT, report);
  g_autofree char *text = als_connection_report_to_text (again);

  g_assert_true (again == report);
  g_boxed_free (ALS_TYPE_CONNECTION_REPORT, again);
  g_assert_nonnull (strstr (text, "Not known yet"));
  g_assert_null (als_connection_report_advise (report));
}

static void
test_bad_server_is_told_without_its_login (void)
{
  static const char *const texts[] = {
    "example.org", "stun:", "stun:h:0", "turn:h", "turn:h?credential=hush&x=hush",
  };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      char *sentence;

      g_assert_null (als_ice_uri_parse (texts[i], &error));
      sentence = als_connection_describe_bad_server (texts[i], error);
      g_assert_null (strstr (sentence, "hush"));
      g_assert_true (g_hash_table_add (seen, sentence));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(path, name) g_test_add_func ("/visit/connection-report/" path, name)
  TEST ("every-failure-has-a-sentence", test_every_failure_has_a_sentence);
  TEST ("every-state-has-a-sentence", test_every_state_has_a_sentence);
  TEST ("resets-in-plain-words", test_resets_in_plain_words);
  TEST ("path-in-use-tells-its-quality", test_path_in_use_tells_its_quality);
  TEST ("values-from-a-stranger-are-bounded", test_values_from_a_stranger_are_bounded);
  TEST ("kinds-and-names", test_kinds_and_names);
  TEST ("nat-has-its-new-and-its-old-name", test_nat_has_its_new_and_its_old_name);
  TEST ("tcp-steps-are-told", test_tcp_steps_are_told);
  TEST ("blocked-and-unknown-differ", test_blocked_and_unknown_differ);
  TEST ("routers-say-why-they-open-no-port", test_routers_say_why);
  TEST ("both-families-are-told", test_both_families);
  TEST ("direct-path-needs-no-advice", test_direct_path_needs_no_advice);
  TEST ("two-hard-networks-are-advised", test_two_hard_networks_are_advised);
  TEST ("web-only-network-is-advised", test_web_only_network_is_advised);
  TEST ("forbidden-by-setting-is-said-first", test_forbidden_by_setting_is_said_first);
  TEST ("copied-report-holds-no-address", test_copied_report_holds_no_address);
  TEST ("json-can-be-read-back", test_json_can_be_read_back);
  TEST ("bad-server-is-told-without-its-login", test_bad_server_is_told_without_its_login);
  TEST ("empty-report-is-told", test_empty_report_is_told);
  return g_test_run ();
}
