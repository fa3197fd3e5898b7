/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-nat-discovery.h"

#include <string.h>

#include "stun/als-stun-transaction.h"

/* Sent at 0, 0.5 and 1.5 s, given up at 2.5 s: three losses in a row are rarer than filters. */
#define RTO_US (500 * 1000)
#define N_SENDS 3
#define LAST_WAIT 2

typedef enum
{
  TEST_ENDPOINT,             /* I of both sections */
  TEST_FILTER_OTHER_ADDRESS, /* 4.4, II: answered from another address and port */
  TEST_FILTER_OTHER_PORT,    /* 4.4, III: answered from another port */
  TEST_MAP_OTHER_ADDRESS,    /* 4.3, II: asked at the other address */
  TEST_MAP_OTHER_BOTH,       /* 4.3, III: asked at the other address and port */
  N_TESTS,
} TestId;

typedef enum
{
  PHASE_ENDPOINT,
  PHASE_FILTERING,
  PHASE_MAPPING,
  PHASE_DONE,
} Phase;

typedef enum
{
  OUTCOME_NONE,
  OUTCOME_OPEN,       /* under way */
  OUTCOME_ANSWERED,
  OUTCOME_SILENT,
  OUTCOME_UNSUITABLE, /* the server did not do what it was asked for */
} Outcome;

typedef struct
{
  Outcome outcome;
  AlsStunAddress to;
  AlsStunAddress expected_from; /* family NONE: anybody's answer with the right transaction */
  AlsStunAddress mapped;
  uint32_t change;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  AlsStunTransaction timer;
  gboolean is_due;              /* to be sent */
} Test;

struct _AlsNatDiscovery
{
  Phase phase;
  AlsStunAddress local, server, other;
  Test tests[N_TESTS];
  AlsNatBehaviour result;
};

static void
start_test (AlsNatDiscovery *self, TestId id, const AlsStunAddress *to, uint32_t change,
            const AlsStunAddress *expected_from, int64_t now_us)
{
  Test *test = &self->tests[id];
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, NULL);
  memcpy (test->transaction, builder.transaction, sizeof test->transaction);
  test->outcome = OUTCOME_OPEN;
  test->to = *to;
  test->change = change;
  test->expected_from = *expected_from;
  als_stun_transaction_init_custom (&test->timer, RTO_US, N_SENDS, LAST_WAIT, now_us);
}

static void
start_filtering (AlsNatDiscovery *self, int64_t now_us)
{
  AlsStunAddress other_port = self->server;

  self->phase = PHASE_FILTERING;
  other_port.port = self->other.port;
  start_test (self, TEST_FILTER_OTHER_ADDRESS, &self->server,
              ALS_STUN_CHANGE_IP | ALS_STUN_CHANGE_PORT, &self->other, now_us);
  start_test (self, TEST_FILTER_OTHER_PORT, &self->server, ALS_STUN_CHANGE_PORT, &other_port,
              now_us);
}

static void
start_mapping (AlsNatDiscovery *self, int64_t now_us)
{
  AlsStunAddress other_address = self->other;

  self->phase = PHASE_MAPPING;
  other_address.port = self->server.port;
  start_test (self, TEST_MAP_OTHER_ADDRESS, &other_address, 0, &other_address, now_us);
  start_test (self, TEST_MAP_OTHER_BOTH, &self->other, 0, &self->other, now_us);
}

static AlsNatDependence
judge_mapping (const AlsNatDiscovery *self)
{
  const Test *first = &self->tests[TEST_ENDPOINT];
  const Test *second = &self->tests[TEST_MAP_OTHER_ADDRESS];
  const Test *third = &self->tests[TEST_MAP_OTHER_BOTH];

  if (!self->result.is_translated)
    return ALS_NAT_ENDPOINT_INDEPENDENT;
  if (second->outcome != OUTCOME_ANSWERED)
    return ALS_NAT_UNKNOWN;
  if (als_stun_address_equal (&first->mapped, &second->mapped))
    return ALS_NAT_ENDPOINT_INDEPENDENT;
  if (third->outcome != OUTCOME_ANSWERED)
    return ALS_NAT_UNKNOWN;
  return als_stun_address_equal (&second->mapped, &third->mapped)
             ? ALS_NAT_ADDRESS_DEPENDENT
             : ALS_NAT_ADDRESS_AND_PORT_DEPENDENT;
}

static AlsNatDependence
judge_filtering (const AlsNatDiscovery *self)
{
  Outcome address = self->tests[TEST_FILTER_OTHER_ADDRESS].outcome;
  Outcome port = self->tests[TEST_FILTER_OTHER_PORT].outcome;

  if (address == OUTCOME_ANSWERED)
    return ALS_NAT_ENDPOINT_INDEPENDENT;
  if (address != OUTCOME_SILENT)
    return ALS_NAT_UNKNOWN;
  if (port == OUTCOME_ANSWERED)
    return ALS_NAT_ADDRESS_DEPENDENT;
  return port == OUTCOME_SILENT ? ALS_NAT_ADDRESS_AND_PORT_DEPENDENT : ALS_NAT_UNKNOWN;
}

static void
finish (AlsNatDiscovery *self)
{
  const Test *first = &self->tests[TEST_ENDPOINT];

  self->phase = PHASE_DONE;
  if (first->outcome != OUTCOME_ANSWERED)
    {
      self->result.is_blocked = first->outcome == OUTCOME_SILENT;
      return;
    }
  self->result.is_translated = !als_stun_address_equal (&first->mapped, &self->local);
  self->result.mapping = judge_mapping (self);
  self->result.filtering = judge_filtering (self);
  self->result.endpoints[0] = first->mapped;
  self->result.endpoints[1] = self->tests[TEST_MAP_OTHER_ADDRESS].mapped;
  self->result.endpoints[2] = self->tests[TEST_MAP_OTHER_BOTH].mapped;
}

static void
go_on (AlsNatDiscovery *self, int64_t now_us)
{
  for (guint i = 0; i < N_TESTS; i++)
    if (self->tests[i].outcome == OUTCOME_OPEN)
      return;
  switch (self->phase)
    {
    case PHASE_ENDPOINT:
      if (self->other.family != ALS_STUN_FAMILY_NONE)
        start_filtering (self, now_us);
      else
        finish (self);
      break;
    case PHASE_FILTERING:
      start_mapping (self, now_us);
      break;
    case PHASE_MAPPING:
      finish (self);
      break;
    case PHASE_DONE:
    default:
      break;
    }
}

AlsNatDiscovery *
als_nat_discovery_new (const AlsStunAddress *local, const AlsStunAddress *server, int64_t now_us)
{
  AlsNatDiscovery *self = g_new0 (AlsNatDiscovery, 1);

  self->local = *local;
  self->server = *server;
  start_test (self, TEST_ENDPOINT, server, 0, server, now_us);
  als_nat_discovery_poll (self, now_us);
  return self;
}

void
als_nat_discovery_free (AlsNatDiscovery *self)
{
  g_free (self);
}

gboolean
als_nat_discovery_take_probe (AlsNatDiscovery *self, AlsNatProbe *probe)
{
  for (guint i = 0; i < N_TESTS; i++)
    {
      Test *test = &self->tests[i];
      g_auto (AlsStunBuilder) builder = { 0 };

      if (!test->is_due)
        continue;
      test->is_due = FALSE;
      als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, test->transaction);
      if (test->change != 0)
        als_stun_builder_add_u32 (&builder, ALS_STUN_CHANGE_REQUEST, test->change);
      als_stun_builder_add_fingerprint (&builder);
      probe->to = test->to;
      probe->bytes = als_stun_builder_finish (&builder);
      return TRUE;
    }
  return FALSE;
}

/* Where a server says its other half is: strangers must not be probed at its word. */
static void
take_other (AlsNatDiscovery *self, const AlsStunMessage *message)
{
  AlsStunAddress other;

  if (als_stun_message_get_address (message, ALS_STUN_OTHER_ADDRESS, &other)
      && als_stun_address_may_name (&self->server, &other)
      && !als_stun_address_same_ip (&other, &self->server) && other.port != self->server.port)
    self->other = other;
}

static void
take_answer (AlsNatDiscovery *self, TestId id, const AlsStunAddress *from,
             const AlsStunMessage *message, int64_t now_us)
{
  Test *test = &self->tests[id];

  test->is_due = FALSE;
  if (message->kind != ALS_STUN_SUCCESS || als_stun_message_find_unknown (message) != 0
      || !als_stun_address_equal (from, &test->expected_from)
      || !als_stun_message_get_mapped (message, &test->mapped))
    {
      memset (&test->mapped, 0, sizeof test->mapped);
      test->outcome = OUTCOME_UNSUITABLE;
    }
  else
    test->outcome = OUTCOME_ANSWERED;
  if (id == TEST_ENDPOINT && test->outcome == OUTCOME_ANSWERED)
    take_other (self, message);
  go_on (self, now_us);
}

void
als_nat_discovery_receive (AlsNatDiscovery *self, const AlsStunAddress *from, const uint8_t *data,
                           size_t len, int64_t now_us)
{
  g_autoptr (AlsStunMessage) message = als_stun_message_decode (data, len, NULL);

  if (message == NULL || message->method != ALS_STUN_BINDING
      || (message->kind != ALS_STUN_SUCCESS && message->kind != ALS_STUN_FAILURE))
    return;
  for (guint i = 0; i < N_TESTS; i++)
    if (self->tests[i].outcome == OUTCOME_OPEN
        && memcmp (self->tests[i].transaction, message->transaction, sizeof message->transaction) == 0)
      {
        take_answer (self, i, from, message, now_us);
        /* What this answer began is due at once. */
        als_nat_discovery_poll (self, now_us);
        return;
      }
}

void
als_nat_discovery_poll (AlsNatDiscovery *self, int64_t now_us)
{
  for (guint i = 0; i < N_TESTS; i++)
    {
      Test *test = &self->tests[i];

      if (test->outcome != OUTCOME_OPEN)
        continue;
      switch (als_stun_transaction_poll (&test->timer, now_us))
        {
        case ALS_STUN_STEP_SEND:
          test->is_due = TRUE;
          break;
        case ALS_STUN_STEP_GIVE_UP:
          test->is_due = FALSE;
          test->outcome = OUTCOME_SILENT;
          /* It starts later tests only, which this loop still reaches. */
          go_on (self, now_us);
          break;
        case ALS_STUN_STEP_WAIT:
        default:
          break;
        }
    }
}

int64_t
als_nat_discovery_get_deadline (const AlsNatDiscovery *self)
{
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < N_TESTS; i++)
    if (self->tests[i].outcome == OUTCOME_OPEN)
      deadline_us = MIN (deadline_us, als_stun_transaction_get_deadline (&self->tests[i].timer));
  return deadline_us;
}

const AlsNatBehaviour *
als_nat_discovery_get_result (const AlsNatDiscovery *self)
{
  return self->phase == PHASE_DONE ? &self->result : NULL;
}

static const char *
name_dependence (AlsNatDependence dependence)
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

char *
als_nat_behaviour_describe (const AlsNatBehaviour *self)
{
  if (self->is_blocked)
    return g_strdup ("UDP blocked");
  if (self->endpoints[0].family == ALS_STUN_FAMILY_NONE)
    return g_strdup ("unknown");
  if (!self->is_translated)
    return g_strdup_printf ("no NAT, %s filtering", name_dependence (self->filtering));
  return g_strdup_printf ("%s mapping, %s filtering", name_dependence (self->mapping),
                          name_dependence (self->filtering));
}

const char *
als_nat_behaviour_get_old_name (const AlsNatBehaviour *self)
{
  if (self->is_blocked)
    return "UDP blocked";
  /* The other side's, as it told us, comes without endpoints. */
  if (self->endpoints[0].family == ALS_STUN_FAMILY_NONE && !self->is_translated
      && self->mapping == ALS_NAT_UNKNOWN && self->filtering == ALS_NAT_UNKNOWN)
    return "unknown";
  if (!self->is_translated)
    {
      if (self->filtering == ALS_NAT_UNKNOWN)
        return "no NAT";
      return self->filtering == ALS_NAT_ENDPOINT_INDEPENDENT ? "open internet"
                                                             : "symmetric firewall";
    }
  switch (self->mapping)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      break;
    case ALS_NAT_ADDRESS_DEPENDENT:
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      return "symmetric";
    case ALS_NAT_UNKNOWN:
    default:
      return "unknown NAT";
    }
  switch (self->filtering)
    {
    case ALS_NAT_ENDPOINT_INDEPENDENT:
      return "full cone";
    case ALS_NAT_ADDRESS_DEPENDENT:
      return "restricted cone";
    case ALS_NAT_ADDRESS_AND_PORT_DEPENDENT:
      return "port-restricted cone";
    case ALS_NAT_UNKNOWN:
    default:
      return "cone";
    }
}
