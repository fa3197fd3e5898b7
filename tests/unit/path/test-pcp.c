/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* PCP and NAT-PMP: the bytes, and one mapping's life through hours of invented
 * time with routers that grant, refuse, forget, lie and say nothing. */

#include <string.h>
#include "path/portmap/als-pcp-client.h"

#define SECOND ((int64_t) G_USEC_PER_SEC)
#define HOUR (3600 * SECOND)
#define LEASE_S 7200

static const uint8_t nonce[ALS_PCP_NONCE_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static AlsStunAddress
address (const char *ip, uint16_t port)
{
  AlsStunAddress self;

  g_assert_true (als_stun_address_parse (&self, ip, port));
  return self;
}

/* --- bytes ------------------------------------------------------------------ */

static void
test_map_request_of_rfc_6887 (void)
{
  AlsPcpMapRequest request = { .version = ALS_PCP_PCP, .is_tcp = TRUE, .internal_port = 0x1234,
                               .lifetime_s = 0x01020304, .client = address ("192.0.2.7", 0),
                               .external = address ("198.51.100.9", 0x5678) };
  static const uint8_t expected[60] = {
    2, 1, 0, 0, 1, 2, 3, 4,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    6, 0, 0, 0, 0x12, 0x34, 0x56, 0x78,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 9,
  };
  g_autoptr (GBytes) bytes = NULL;

  memcpy (request.nonce, nonce, sizeof nonce);
  bytes = als_pcp_encode_map (&request);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), expected,
                   sizeof expected);
}

static void
test_map_request_of_ipv6 (void)
{
  AlsPcpMapRequest request = { .version = ALS_PCP_PCP, .internal_port = 9, .lifetime_s = 60,
                               .client = address ("2001:db8::7", 0) };
  static const uint8_t zeros[16];
  g_autoptr (GBytes) bytes = als_pcp_encode_map (&request);
  const uint8_t *data = g_bytes_get_data (bytes, NULL);

  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 60);
  g_assert_cmpuint (data[8], ==, 0x20);
  g_assert_cmpuint (data[36], ==, 17);
  g_assert_cmpmem (data + 44, 16, zeros, 16);
}

static void
test_requests_of_rfc_6886 (void)
{
  AlsPcpMapRequest request = { .version = ALS_PCP_NAT_PMP, .is_tcp = TRUE, .internal_port = 0x1234,
                               .lifetime_s = LEASE_S };
  static const uint8_t expected[12] = { 0, 2, 0, 0, 0x12, 0x34, 0, 0, 0, 0, 0x1c, 0x20 };
  g_autoptr (GBytes) map = als_pcp_encode_map (&request);
  g_autoptr (GBytes) ask = als_pcp_encode_address ();

  g_assert_cmpmem (g_bytes_get_data (map, NULL), g_bytes_get_size (map), expected,
                   sizeof expected);
  g_assert_cmpmem (g_bytes_get_data (ask, NULL), g_bytes_get_size (ask), "\0\0", 2);
}

/* A PCP MAP answer: grants PORT of 9.9.9.1 for LIFETIME_S. */
static void
make_pcp (uint8_t answer[60], uint8_t result, uint32_t lifetime_s, uint32_t epoch_s, uint16_t internal,
          uint16_t external)
{
  memset (answer, 0, 60);
  answer[0] = 2;
  answer[1] = 0x81;
  answer[3] = result;
  for (guint i = 0; i < 4; i++)
    {
      answer[4 + i] = (uint8_t) (lifetime_s >> (24 - 8 * i));
      answer[8 + i] = (uint8_t) (epoch_s >> (24 - 8 * i));
    }
  memcpy (answer + 24, nonce, sizeof nonce);
  answer[36] = 17;
  answer[40] = (uint8_t) (internal >> 8);
  answer[41] = (uint8_t) internal;
  answer[42] = (uint8_t) (external >> 8);
  answer[43] = (uint8_t) external;
  answer[54] = answer[55] = 0xff;
  answer[56] = answer[57] = answer[58] = 9;
  answer[59] = 1;
}

static void
test_map_answer (void)
{
  AlsStunAddress external = address ("9.9.9.1", 6000);
  AlsPcpResponse response;
  uint8_t answer[60];

  make_pcp (answer, 0, 1800, 77, 5000, 6000);
  g_assert_true (als_pcp_decode (&response, answer, sizeof answer));
  g_assert_cmpint (response.version, ==, ALS_PCP_PCP);
  g_assert_cmpint (response.opcode, ==, ALS_PCP_MAP);
  g_assert_cmpint (response.result, ==, ALS_PCP_SUCCESS);
  g_assert_cmpuint (response.lifetime_s, ==, 1800);
  g_assert_cmpuint (response.epoch_s, ==, 77);
  g_assert_cmpuint (response.internal_port, ==, 5000);
  g_assert_false (response.is_tcp);
  g_assert_true (als_stun_address_equal (&response.external, &external));
  g_assert_cmpmem (response.nonce, sizeof response.nonce, nonce, sizeof nonce);
}

static void
test_every_result_has_a_name (void)
{
  AlsPcpResponse response;
  uint8_t answer[60];

  for (guint result = 0; result < 256; result++)
    {
      make_pcp (answer, (uint8_t) result, 30, 1, 5000, 0);
      g_assert_true (als_pcp_decode (&response, answer, sizeof answer));
      if (result <= ALS_PCP_EXCESSIVE_REMOTE_PEERS)
        {
          g_assert_cmpint (response.result, ==, result);
          g_assert_cmpstr (als_pcp_result_to_string (response.result), !=, "unknown error");
        }
      else
        g_assert_cmpint (response.result, ==, ALS_PCP_UNKNOWN_ERROR);
    }
}

static void
test_answers_that_are_none (void)
{
  uint8_t answer[ALS_PCP_MAX_BYTES + 4] = { 0 };
  AlsPcpResponse response;

  make_pcp (answer, 0, 1800, 77, 5000, 6000);
  for (size_t len = 0; len < 60; len++)
    g_assert_false (als_pcp_decode (&response, answer, len));
  /* Options may follow, in fours, up to the longest datagram. */
  g_assert_true (als_pcp_decode (&response, answer, 64));
  g_assert_false (als_pcp_decode (&response, answer, 62));
  g_assert_true (als_pcp_decode (&response, answer, ALS_PCP_MAX_BYTES));
  g_assert_false (als_pcp_decode (&response, answer, ALS_PCP_MAX_BYTES + 4));
  /* A request, another opcode, another protocol, another version. */
  answer[1] = 1;
  g_assert_false (als_pcp_decode (&response, answer, 60));
  answer[1] = 0x82;
  g_assert_false (als_pcp_decode (&response, answer, 60));
  answer[1] = 0x81;
  answer[36] = 1;
  g_assert_false (als_pcp_decode (&response, answer, 60));
  answer[36] = 6;
  answer[0] = 1;
  g_assert_false (als_pcp_decode (&response, answer, 60));
}

static void
test_nat_pmp_answers (void)
{
  static const uint8_t map[16] = { 0, 130, 0, 0, 0, 0, 0, 5, 0x13, 0x88, 0x17, 0x70, 0, 0, 0x1c, 0x20 };
  static const uint8_t outside[12] = { 0, 128, 0, 0, 0, 0, 0, 5, 9, 9, 9, 1 };
  static const uint8_t version[8] = { 0, 129, 0, 1, 0, 0, 0, 5 };
  AlsPcpResponse response;

  g_assert_true (als_pcp_decode (&response, map, sizeof map));
  g_assert_true (response.has_map && response.is_tcp);
  g_assert_cmpuint (response.external.port, ==, 6000);
  g_assert_cmpuint (response.lifetime_s, ==, LEASE_S);
  g_assert_true (als_pcp_decode (&response, outside, sizeof outside));
  g_assert_cmpint (response.opcode, ==, ALS_PCP_ANNOUNCE);
  g_assert_cmpuint (response.external.ip[3], ==, 1);
  g_assert_true (als_pcp_decode (&response, version, sizeof version));
  g_assert_cmpint (response.result, ==, ALS_PCP_UNSUPP_VERSION);
  for (size_t len = 0; len < sizeof map; len++)
    g_assert_false (als_pcp_decode (&response, map, len));
  for (size_t len = 0; len < sizeof outside; len++)
    g_assert_false (als_pcp_decode (&response, outside, len));
}

/* --- epochs (RFC 6887, 8.5) ------------------------------------------------- */

static void
test_epochs (void)
{
  static const struct
  {
    uint32_t server_s;
    int64_t client_s;
    gboolean is_same;
  } rows[] = {
    { 1000, 100, TRUE },   { 1060, 160, TRUE }, { 1059, 160, TRUE }, /* overtaken */
    { 1099, 200, TRUE },   { 3, 210, FALSE },                        /* it restarted */
    { 63, 270, TRUE },     { 64, 400, FALSE },                       /* and while nobody looked */
    { 2064, 410, FALSE },                                            /* its clock jumped */
  };
  AlsPcpEpoch epoch = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (als_pcp_epoch_check (&epoch, rows[i].server_s, rows[i].client_s * SECOND), ==,
                     rows[i].is_same);
}

/* --- one mapping ------------------------------------------------------------ */

typedef struct
{
  AlsPcpClient client;
  int64_t now_us;
  guint n_sent;
  int64_t sent_us[64];
  uint8_t last[64];
  size_t last_len;
} World;

static void
world_init (World *self, AlsPcpVersion version)
{
  AlsPcpClientConfig config = { .version = version, .internal_port = 5000, .lifetime_s = LEASE_S,
                                .client = address ("192.168.7.2", 0) };

  memcpy (config.nonce, nonce, sizeof nonce);
  *self = (World){ .now_us = 1000 * SECOND };
  als_pcp_client_init (&self->client, &config, self->now_us);
}

static void
flush (World *self)
{
  GBytes *bytes;

  while ((bytes = als_pcp_client_poll (&self->client, self->now_us)) != NULL)
    {
      g_assert_cmpuint (g_bytes_get_size (bytes), <=, sizeof self->last);
      self->last_len = g_bytes_get_size (bytes);
      memcpy (self->last, g_bytes_get_data (bytes, NULL), self->last_len);
      self->sent_us[self->n_sent++ % G_N_ELEMENTS (self->sent_us)] = self->now_us;
      g_bytes_unref (bytes);
    }
  g_assert_cmpint (als_pcp_client_get_deadline (&self->client), >, self->now_us);
}

static void
run (World *self, int64_t span_us)
{
  int64_t end_us = self->now_us + span_us;

  for (flush (self); als_pcp_client_get_deadline (&self->client) <= end_us; flush (self))
    self->now_us = als_pcp_client_get_deadline (&self->client);
  self->now_us = end_us;
}

static gboolean
give (World *self, const uint8_t *data, size_t len)
{
  AlsPcpResponse response;

  g_assert_true (als_pcp_decode (&response, data, len));
  return als_pcp_client_receive (&self->client, &response, self->now_us);
}

static gboolean
answer_pcp (World *self, uint8_t result, uint32_t lifetime_s)
{
  uint8_t answer[60];

  make_pcp (answer, result, lifetime_s, (uint32_t) (self->now_us / SECOND), 5000, 6000);
  return give (self, answer, sizeof answer);
}

static void
test_silence_is_asked_ever_more_rarely (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  run (&world, HOUR);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_ASKING);
  /* 0, 3, 9, 21, 45, 93, 189, 381, 765, 1533, 2557, 3581 s, a tenth more or less. */
  g_assert_cmpuint (world.n_sent, >=, 10);
  g_assert_cmpuint (world.n_sent, <=, 13);
  g_assert_cmpint (world.sent_us[0], ==, 1000 * SECOND);
  g_assert_cmpint (world.sent_us[1] - world.sent_us[0], >=, 27 * SECOND / 10);
  g_assert_cmpint (world.sent_us[1] - world.sent_us[0], <=, 33 * SECOND / 10);
  for (guint i = 2; i < 8; i++)
    {
      int64_t last_us = world.sent_us[i - 1] - world.sent_us[i - 2];
      int64_t wait_us = world.sent_us[i] - world.sent_us[i - 1];

      g_assert_cmpint (wait_us, >=, 18 * last_us / 10);
      g_assert_cmpint (wait_us, <=, 22 * last_us / 10 + 1);
    }
}

static void
test_lease_is_renewed_at_its_half (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  for (guint i = 0; i < 10; i++)
    {
      guint n_sent = world.n_sent;
      int64_t granted_us = world.now_us;

      g_assert_true (answer_pcp (&world, 0, 1800));
      g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
      g_assert_cmpuint (world.client.external.port, ==, 6000);
      run (&world, 900 * SECOND - 1);
      g_assert_cmpuint (world.n_sent, ==, n_sent);
      world.now_us = als_pcp_client_get_deadline (&world.client);
      g_assert_cmpint (world.now_us - granted_us, <=, 1125 * SECOND);
      flush (&world);
      g_assert_cmpuint (world.n_sent, ==, n_sent + 1);
      /* It wishes for what it has. */
      g_assert_cmpuint (world.last[42] << 8 | world.last[43], ==, 6000);
    }
}

static void
test_unrenewed_lease_ends (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, 0, 1800);
  run (&world, 1800 * SECOND - 1);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  g_assert_cmpuint (world.n_sent, >, 3);
  run (&world, 1);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_ASKING);
  g_assert_true (answer_pcp (&world, 0, 1800));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
}

static void
test_leases_of_no_length_and_of_years (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  /* A second's lease must not make us ask every half second. */
  for (guint i = 0; i < 100; i++)
    {
      answer_pcp (&world, 0, 1);
      run (&world, SECOND);
    }
  g_assert_cmpuint (world.n_sent, <=, 110);
  answer_pcp (&world, 0, G_MAXUINT32);
  g_assert_cmpint (world.client.expires_us - world.now_us, ==, 24 * HOUR);
}

static void
test_refusals_are_kept_to (void)
{
  for (guint result = ALS_PCP_NOT_AUTHORIZED; result <= ALS_PCP_EXCESSIVE_REMOTE_PEERS; result++)
    {
      World world;

      world_init (&world, ALS_PCP_PCP);
      flush (&world);
      g_assert_true (answer_pcp (&world, (uint8_t) result, 300));
      g_assert_cmpint (world.client.state, ==, ALS_PCP_REFUSED);
      g_assert_cmpint (world.client.result, ==, result);
      run (&world, 300 * SECOND - 1);
      g_assert_cmpuint (world.n_sent, ==, 1);
      run (&world, 1);
      g_assert_cmpuint (world.n_sent, ==, 2);
      g_assert_true (answer_pcp (&world, 0, 1800));
      g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
    }
}

static void
test_refusals_of_no_length_and_of_years (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, ALS_PCP_NO_RESOURCES, 0);
  run (&world, 30 * SECOND - 1);
  g_assert_cmpuint (world.n_sent, ==, 1);
  run (&world, 1);
  g_assert_cmpuint (world.n_sent, ==, 2);
  answer_pcp (&world, ALS_PCP_NO_RESOURCES, G_MAXUINT32);
  run (&world, HOUR / 2);
  g_assert_cmpuint (world.n_sent, ==, 3);
}

static void
test_refused_renewal_keeps_the_lease (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, 0, 1800);
  run (&world, 1200 * SECOND);
  answer_pcp (&world, ALS_PCP_NETWORK_FAILURE, 30);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  run (&world, 600 * SECOND);
  g_assert_cmpint (world.client.state, !=, ALS_PCP_MAPPED);
}

static void
test_lies_change_nothing (void)
{
  World world;
  uint8_t answer[60];

  world_init (&world, ALS_PCP_PCP);
  make_pcp (answer, 0, 1800, 5, 5000, 6000);
  /* Before anything was asked. */
  g_assert_false (give (&world, answer, sizeof answer));
  flush (&world);
  answer[24] ^= 1;
  g_assert_false (give (&world, answer, sizeof answer));
  answer[24] ^= 1;
  answer[36] = 6;
  g_assert_false (give (&world, answer, sizeof answer));
  answer[36] = 17;
  answer[41] ^= 1;
  g_assert_false (give (&world, answer, sizeof answer));
  /* NAT-PMP's answer needs no nonce, so it must not count here. */
  g_assert_false (give (&world, (const uint8_t *) "\0\201\0\0\0\0\0\5\23\210\27\160\0\0\34\40", 16));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_ASKING);
  answer[41] ^= 1;
  g_assert_true (give (&world, answer, sizeof answer));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  /* What is mapped is not unmade by the claim of being an old router. */
  g_assert_false (give (&world, (const uint8_t *) "\0\201\0\1\0\0\0\5", 8));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
}

static void
test_endpoints_that_cannot_be (void)
{
  static const uint8_t ips[][4] = { { 0 }, { 255, 255, 255, 255 }, { 224, 0, 0, 1 } };
  uint8_t answer[60];
  World world;

  for (guint i = 0; i < G_N_ELEMENTS (ips); i++)
    {
      world_init (&world, ALS_PCP_PCP);
      flush (&world);
      make_pcp (answer, 0, 1800, 5, 5000, 6000);
      memcpy (answer + 56, ips[i], 4);
      give (&world, answer, sizeof answer);
      g_assert_cmpint (world.client.state, ==, ALS_PCP_REFUSED);
    }
  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  make_pcp (answer, 0, 1800, 5, 5000, 0);
  give (&world, answer, sizeof answer);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_REFUSED);
  make_pcp (answer, 0, 0, 5, 5000, 6000);
  world.client.state = ALS_PCP_MAPPED;
  give (&world, answer, sizeof answer);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_REFUSED);
}

static void
test_old_router_ends_pcp (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  g_assert_true (give (&world, (const uint8_t *) "\0\201\0\1\0\0\0\5", 8));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
  g_assert_cmpint (als_pcp_client_get_deadline (&world.client), ==, INT64_MAX);
  g_assert_cmpint (world.client.result, ==, ALS_PCP_UNSUPP_VERSION);
}

static void
test_new_router_ends_nat_pmp (void)
{
  uint8_t answer[24] = { 2, 0x81, 0, 1 };
  World world;

  world_init (&world, ALS_PCP_NAT_PMP);
  flush (&world);
  /* An old router's no to the PCP request beside it is not for us. */
  g_assert_false (give (&world, (const uint8_t *) "\0\201\0\1\0\0\0\5", 8));
  g_assert_true (give (&world, answer, sizeof answer));
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
}

static void
test_nat_pmp_needs_both_halves (void)
{
  static const uint8_t map[] = "\0\201\0\0\0\0\0\5\23\210\27\160\0\0\34\40";
  static const uint8_t outside[] = "\0\200\0\0\0\0\0\5\11\11\11\1";
  World world;

  for (guint order = 0; order < 2; order++)
    {
      world_init (&world, ALS_PCP_NAT_PMP);
      flush (&world);
      g_assert_cmpuint (world.n_sent, ==, 2);
      g_assert_true (order == 0 ? give (&world, map, 16) : give (&world, outside, 12));
      g_assert_cmpint (world.client.state, ==, ALS_PCP_ASKING);
      /* The other half was lost: both are asked for again. */
      run (&world, SECOND / 4);
      g_assert_cmpuint (world.n_sent, ==, 4);
      g_assert_true (order == 0 ? give (&world, outside, 12) : give (&world, map, 16));
      g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
      g_assert_cmpuint (world.client.external.port, ==, 6000);
      g_assert_cmpuint (world.client.external.ip[0], ==, 9);
      run (&world, LEASE_S / 2 * SECOND - 1);
      g_assert_cmpuint (world.n_sent, ==, 4);
    }
  /* It got another address. */
  g_assert_true (give (&world, (const uint8_t *) "\0\200\0\0\0\0\0\5\11\11\11\2", 12));
  g_assert_cmpuint (world.client.external.ip[3], ==, 2);
  g_assert_cmpuint (world.client.external.port, ==, 6000);
}

static void
test_nat_pmp_gives_up (void)
{
  World world;

  world_init (&world, ALS_PCP_NAT_PMP);
  run (&world, HOUR);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
  g_assert_cmpuint (world.n_sent, ==, 18);
  g_assert_cmpint (world.sent_us[17] - world.sent_us[0], ==, 255 * SECOND / 4);
}

static void
test_nat_pmp_renewal_in_vain (void)
{
  World world;

  world_init (&world, ALS_PCP_NAT_PMP);
  flush (&world);
  give (&world, (const uint8_t *) "\0\201\0\0\0\0\0\5\23\210\27\160\0\0\34\40", 16);
  give (&world, (const uint8_t *) "\0\200\0\0\0\0\0\5\11\11\11\1", 12);
  run (&world, LEASE_S * SECOND - 1);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  run (&world, HOUR);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
}

static void
test_forgetful_router_is_asked_anew (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, 0, 1800);
  run (&world, 60 * SECOND);
  g_assert_cmpuint (world.n_sent, ==, 1);
  als_pcp_client_state_lost (&world.client, world.now_us);
  flush (&world);
  g_assert_cmpuint (world.n_sent, ==, 2);
  /* Until it answers, what is known holds. */
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  g_assert_cmpuint (world.last[42] << 8 | world.last[43], ==, 6000);
}

static void
test_leaving (void)
{
  World world;
  uint8_t answer[60];

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, 0, 1800);
  als_pcp_client_leave (&world.client, world.now_us);
  run (&world, 10 * SECOND);
  g_assert_cmpuint (world.n_sent, ==, 4);
  g_assert_cmpint (world.sent_us[3] - world.sent_us[1], ==, 3 * SECOND / 4);
  /* Lifetime and wish are nothing, the nonce is the same (RFC 6887, 15.1). */
  g_assert_cmpmem (world.last + 4, 4, "\0\0\0\0", 4);
  g_assert_cmpmem (world.last + 24, sizeof nonce, nonce, sizeof nonce);
  g_assert_cmpmem (world.last + 42, 2, "\0\0", 2);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);

  world_init (&world, ALS_PCP_PCP);
  flush (&world);
  answer_pcp (&world, 0, 1800);
  als_pcp_client_leave (&world.client, world.now_us);
  flush (&world);
  /* A late answer to a renewal does not end it, its own answer does. */
  make_pcp (answer, 0, 1800, 5, 5000, 6000);
  give (&world, answer, sizeof answer);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_MAPPED);
  make_pcp (answer, 0, 0, 5, 5000, 6000);
  give (&world, answer, sizeof answer);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
}

static void
test_leaving_a_silent_router (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  run (&world, SECOND);
  g_assert_cmpuint (world.n_sent, ==, 1);
  als_pcp_client_leave (&world.client, world.now_us);
  /* The answer may have been lost: once, and nothing is waited for. */
  flush (&world);
  g_assert_cmpuint (world.n_sent, ==, 2);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
}

static void
test_leaving_before_anything_was_asked (void)
{
  World world;

  world_init (&world, ALS_PCP_PCP);
  als_pcp_client_leave (&world.client, world.now_us);
  run (&world, 10 * SECOND);
  g_assert_cmpuint (world.n_sent, ==, 0);
  g_assert_cmpint (world.client.state, ==, ALS_PCP_OVER);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name, func) g_test_add_func ("/portmap/" name, func)
  TEST ("pcp-codec/map-request-of-rfc-6887", test_map_request_of_rfc_6887);
  TEST ("pcp-codec/map-request-of-ipv6", test_map_request_of_ipv6);
  TEST ("pcp-codec/requests-of-rfc-6886", test_requests_of_rfc_6886);
  TEST ("pcp-codec/map-answer", test_map_answer);
  TEST ("pcp-codec/every-result-has-a-name", test_every_result_has_a_name);
  TEST ("pcp-codec/answers-that-are-none", test_answers_that_are_none);
  TEST ("pcp-codec/nat-pmp-answers", test_nat_pmp_answers);
  TEST ("pcp-client/epochs", test_epochs);
  TEST ("pcp-client/silence-is-asked-ever-more-rarely", test_silence_is_asked_ever_more_rarely);
  TEST ("pcp-client/lease-is-renewed-at-its-half", test_lease_is_renewed_at_its_half);
  TEST ("pcp-client/unrenewed-lease-ends", test_unrenewed_lease_ends);
  TEST ("pcp-client/leases-of-no-length-and-of-years", test_leases_of_no_length_and_of_years);
  TEST ("pcp-client/refusals-are-kept-to", test_refusals_are_kept_to);
  TEST ("pcp-client/refusals-of-no-length-and-of-years", test_refusals_of_no_length_and_of_years);
  TEST ("pcp-client/refused-renewal-keeps-the-lease", test_refused_renewal_keeps_the_lease);
  TEST ("pcp-client/lies-change-nothing", test_lies_change_nothing);
  TEST ("pcp-client/endpoints-that-cannot-be", test_endpoints_that_cannot_be);
  TEST ("pcp-client/old-router-ends-pcp", test_old_router_ends_pcp);
  TEST ("pcp-client/new-router-ends-nat-pmp", test_new_router_ends_nat_pmp);
  TEST ("pcp-client/nat-pmp-needs-both-halves", test_nat_pmp_needs_both_halves);
  TEST ("pcp-client/nat-pmp-gives-up", test_nat_pmp_gives_up);
  TEST ("pcp-client/nat-pmp-renewal-in-vain", test_nat_pmp_renewal_in_vain);
  TEST ("pcp-client/forgetful-router-is-asked-anew", test_forgetful_router_is_asked_anew);
  TEST ("pcp-client/leaving", test_leaving);
  TEST ("pcp-client/leaving-a-silent-router", test_leaving_a_silent_router);
  TEST ("pcp-client/leaving-before-anything-was-asked", test_leaving_before_anything_was_asked);
#undef TEST
  return g_test_run ();
}
