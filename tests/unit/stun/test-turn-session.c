/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A TURN session and a server of a few lines that can answer anything. */

#include "stun/als-turn-data.h"

#include <string.h>

#define SECOND_US ((int64_t) G_USEC_PER_SEC)

typedef struct
{
  AlsTurnSession *session;
  int64_t now_us;
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t key_len;
  AlsStunAddress relayed, endpoint, peer;
} Scene;

static void
scene_init (Scene *scene)
{
  memset (scene, 0, sizeof *scene);
  scene->now_us = 1000 * SECOND_US;
  scene->session = als_turn_session_new ("user", "secret", ALS_STUN_FAMILY_NONE);
  als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, "user", "realm", "secret", scene->key,
                            &scene->key_len);
  g_assert_true (als_stun_address_parse (&scene->relayed, "198.51.100.1", 50000));
  g_assert_true (als_stun_address_parse (&scene->endpoint, "203.0.113.9", 40000));
  g_assert_true (als_stun_address_parse (&scene->peer, "198.51.100.1", 50001));
}

static void
scene_clear (Scene *scene)
{
  als_turn_session_free (scene->session);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scene, scene_clear)

static AlsStunMessage *
decode (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  AlsStunMessage *message;

  g_assert_nonnull (bytes);
  message = als_stun_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                     &error);
  g_assert_no_error (error);
  return message;
}

static AlsStunMessage *
take_request (Scene *scene, AlsStunMethod method)
{
  g_autoptr (GBytes) bytes = als_turn_session_take_output (scene->session);
  AlsStunMessage *message = decode (bytes);

  g_assert_cmpint (message->kind, ==, ALS_STUN_REQUEST);
  g_assert_cmpint (message->method, ==, method);
  return message;
}

static AlsStunMessage *
take_signed (Scene *scene, AlsStunMethod method)
{
  AlsStunMessage *message = take_request (scene, method);

  g_assert_true (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1, scene->key,
                                          scene->key_len));
  return message;
}

static void
feed (Scene *scene, AlsStunBuilder *builder)
{
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);

  als_turn_session_feed (scene->session, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                         scene->now_us);
}

static void
begin (AlsStunBuilder *builder, AlsStunClass kind, const AlsStunMessage *request)
{
  als_stun_builder_init (builder, kind, request->method, request->transaction);
}

static void
finish (Scene *scene, AlsStunBuilder *builder)
{
  als_stun_builder_add_integrity (builder, ALS_STUN_INTEGRITY_SHA1, scene->key, scene->key_len);
  feed (scene, builder);
}

static void
reply_ok (Scene *scene, const AlsStunMessage *request)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  begin (&builder, ALS_STUN_SUCCESS, request);
  finish (scene, &builder);
}

static void
reply_error (Scene *scene, const AlsStunMessage *request, guint code, const char *nonce)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  begin (&builder, ALS_STUN_FAILURE, request);
  als_stun_builder_add_error (&builder, code, "because");
  if (nonce != NULL)
    {
      als_stun_builder_add_text (&builder, ALS_STUN_NONCE, nonce);
      als_stun_builder_add_text (&builder, ALS_STUN_REALM, "realm");
    }
  feed (scene, &builder);
}

static AlsTurnEvent *
expect (Scene *scene, AlsTurnEventType type)
{
  AlsTurnEvent *event = als_turn_session_take_event (scene->session);

  g_assert_nonnull (event);
  g_assert_cmpint (event->type, ==, type);
  return event;
}

static void
expect_plain (Scene *scene, AlsTurnEventType type)
{
  g_autoptr (AlsTurnEvent) event = expect (scene, type);

  g_assert_no_error (event->error);
}

static void
expect_error (Scene *scene, AlsTurnEventType type, AlsTurnError code)
{
  g_autoptr (AlsTurnEvent) event = expect (scene, type);

  g_assert_error (event->error, ALS_TURN_ERROR, (int) code);
}

static void
expect_silence (Scene *scene)
{
  g_assert_null (als_turn_session_take_event (scene->session));
  g_assert_null (als_turn_session_take_output (scene->session));
}

static void
reply_allocation (Scene *scene, const AlsStunMessage *request, uint32_t lifetime_s)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  begin (&builder, ALS_STUN_SUCCESS, request);
  als_stun_builder_add_address (&builder, ALS_STUN_XOR_RELAYED_ADDRESS, &scene->relayed);
  als_stun_builder_add_address (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, &scene->endpoint);
  als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, lifetime_s);
  finish (scene, &builder);
}

/* Up to the signed Allocate. */
static AlsStunMessage *
ask (Scene *scene)
{
  g_autoptr (AlsStunMessage) first = NULL;
  uint32_t transport;

  als_turn_session_start (scene->session, scene->now_us);
  first = take_request (scene, ALS_STUN_ALLOCATE);
  g_assert_null (als_stun_message_find (first, ALS_STUN_USERNAME));
  g_assert_true (als_stun_message_get_u32 (first, ALS_STUN_REQUESTED_TRANSPORT, &transport));
  g_assert_cmphex (transport, ==, 0x06000000);
  reply_error (scene, first, 401, "nonce-1");
  return take_signed (scene, ALS_STUN_ALLOCATE);
}

static void
allocate (Scene *scene, uint32_t lifetime_s)
{
  g_autoptr (AlsStunMessage) request = ask (scene);

  reply_allocation (scene, request, lifetime_s);
  expect_plain (scene, ALS_TURN_EVENT_ALLOCATED);
  expect_silence (scene);
  g_assert_cmpint (als_turn_session_get_state (scene->session), ==, ALS_TURN_STATE_ALLOCATED);
}

static void
permit (Scene *scene)
{
  g_autoptr (AlsStunMessage) request = NULL;
  AlsStunAddress peer;

  g_assert_true (als_turn_session_permit (scene->session, &scene->peer, scene->now_us));
  request = take_signed (scene, ALS_STUN_CREATE_PERMISSION);
  g_assert_true (als_stun_message_get_address (request, ALS_STUN_XOR_PEER_ADDRESS, &peer));
  g_assert_true (als_stun_address_equal (&peer, &scene->peer));
  reply_ok (scene, request);
  expect_plain (scene, ALS_TURN_EVENT_PERMITTED);
}

static void
advance_to (Scene *scene, int64_t now_us)
{
  g_assert_cmpint (als_turn_session_get_deadline (scene->session), ==, now_us);
  als_turn_session_poll (scene->session, now_us - 1);
  expect_silence (scene);
  scene->now_us = now_us;
  als_turn_session_poll (scene->session, now_us);
}

static void
test_allocate (void)
{
  g_auto (Scene) scene;

  scene_init (&scene);
  allocate (&scene, 600);
  g_assert_true (als_stun_address_equal (als_turn_session_get_relayed (scene.session),
                                         &scene.relayed));
  g_assert_true (als_stun_address_equal (als_turn_session_get_endpoint (scene.session),
                                         &scene.endpoint));
}

static void
test_refresh (void)
{
  static const struct { uint32_t lifetime_s; int64_t after_s; } cases[]
      = { { 600, 540 }, { 3600, 3540 }, { 100, 50 }, { UINT32_MAX, 24 * 3600 - 60 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Scene) scene;
      uint32_t lifetime_s;

      scene_init (&scene);
      allocate (&scene, cases[i].lifetime_s);
      for (guint round = 0; round < 3; round++)
        {
          g_autoptr (AlsStunMessage) request = NULL;
          g_auto (AlsStunBuilder) builder = { 0 };

          advance_to (&scene, scene.now_us + cases[i].after_s * SECOND_US);
          request = take_signed (&scene, ALS_STUN_REFRESH);
          g_assert_true (als_stun_message_get_u32 (request, ALS_STUN_LIFETIME, &lifetime_s));
          g_assert_cmpuint (lifetime_s, ==, 600);
          begin (&builder, ALS_STUN_SUCCESS, request);
          als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, cases[i].lifetime_s);
          finish (&scene, &builder);
          expect_silence (&scene);
        }
    }
}

static void
test_refresh_refused (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsStunMessage) request = NULL;

  scene_init (&scene);
  allocate (&scene, 600);
  advance_to (&scene, scene.now_us + 540 * SECOND_US);
  request = take_signed (&scene, ALS_STUN_REFRESH);
  reply_error (&scene, request, 437, NULL);
  expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_NO_ALLOCATION);
  g_assert_cmpint (als_turn_session_get_deadline (scene.session), ==, INT64_MAX);
}

static void
test_stale (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsStunMessage) first = NULL;
  g_autoptr (AlsStunMessage) second = NULL;
  g_autoptr (AlsStunMessage) third = NULL;
  g_autofree char *nonce = NULL;

  scene_init (&scene);
  allocate (&scene, 600);
  g_assert_true (als_turn_session_permit (scene.session, &scene.peer, scene.now_us));
  first = take_signed (&scene, ALS_STUN_CREATE_PERMISSION);
  reply_error (&scene, first, 438, "nonce-2");
  second = take_signed (&scene, ALS_STUN_CREATE_PERMISSION);
  g_assert_cmpint (memcmp (first->transaction, second->transaction, 12), !=, 0);
  nonce = als_stun_message_get_text (second, ALS_STUN_NONCE);
  g_assert_cmpstr (nonce, ==, "nonce-2");
  reply_error (&scene, second, 438, "nonce-3");
  expect_error (&scene, ALS_TURN_EVENT_PERMISSION_REFUSED, ALS_TURN_ERROR_STALE_NONCE);
  expect_silence (&scene);
  /* Another request is retried again. */
  g_assert_true (als_turn_session_permit (scene.session, &scene.peer, scene.now_us));
  third = take_signed (&scene, ALS_STUN_CREATE_PERMISSION);
  reply_error (&scene, third, 438, "nonce-4");
  als_stun_message_free (take_signed (&scene, ALS_STUN_CREATE_PERMISSION));
}

static void
test_refused (void)
{
  static const struct { guint code; AlsTurnError error; AlsTurnRemedy remedy; } cases[] = {
    { 400, ALS_TURN_ERROR_BAD_REQUEST, ALS_TURN_REMEDY_NONE },
    { 401, ALS_TURN_ERROR_WRONG_CREDENTIALS, ALS_TURN_REMEDY_NEW_LOGIN },
    { 403, ALS_TURN_ERROR_FORBIDDEN, ALS_TURN_REMEDY_OTHER_PEER },
    { 420, ALS_TURN_ERROR_UNSUPPORTED, ALS_TURN_REMEDY_OTHER_SERVER },
    { 437, ALS_TURN_ERROR_NO_ALLOCATION, ALS_TURN_REMEDY_NEW_CONNECTION },
    { 440, ALS_TURN_ERROR_FAMILY, ALS_TURN_REMEDY_OTHER_FAMILY },
    { 441, ALS_TURN_ERROR_OTHER_USER, ALS_TURN_REMEDY_NEW_CONNECTION },
    { 442, ALS_TURN_ERROR_NO_TCP, ALS_TURN_REMEDY_OTHER_SERVER },
    { 486, ALS_TURN_ERROR_QUOTA, ALS_TURN_REMEDY_LATER },
    { 500, ALS_TURN_ERROR_SERVER, ALS_TURN_REMEDY_LATER },
    { 508, ALS_TURN_ERROR_FULL, ALS_TURN_REMEDY_OTHER_SERVER },
    { 599, ALS_TURN_ERROR_OTHER, ALS_TURN_REMEDY_OTHER_SERVER },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Scene) scene;
      g_auto (AlsStunBuilder) builder = { 0 };
      g_autoptr (AlsStunMessage) request = NULL;
      g_autoptr (AlsStunMessage) binding = NULL;

      scene_init (&scene);
      request = ask (&scene);
      reply_error (&scene, request, cases[i].code, cases[i].code == 401 ? "nonce-2" : NULL);
      expect_error (&scene, ALS_TURN_EVENT_REFUSED, cases[i].error);
      g_assert_cmpint (als_turn_error_get_remedy (cases[i].error), ==, cases[i].remedy);
      binding = take_request (&scene, ALS_STUN_BINDING);
      g_assert_cmpuint (binding->n_attributes, ==, 0);
      begin (&builder, ALS_STUN_SUCCESS, binding);
      als_stun_builder_add_address (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, &scene.endpoint);
      feed (&scene, &builder);
      expect_plain (&scene, ALS_TURN_EVENT_ENDPOINT);
      g_assert_true (als_stun_address_equal (als_turn_session_get_endpoint (scene.session),
                                             &scene.endpoint));
      g_assert_cmpint (als_turn_session_get_state (scene.session), ==, ALS_TURN_STATE_REFUSED);
      g_assert_false (als_turn_session_permit (scene.session, &scene.peer, scene.now_us));
      g_assert_false (als_turn_session_connect (scene.session, &scene.peer, scene.now_us));
      als_turn_session_leave (scene.session, scene.now_us);
      expect_plain (&scene, ALS_TURN_EVENT_LEFT);
      expect_silence (&scene);
    }
}

static void
test_no_endpoint (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsStunMessage) request = NULL;
  g_autoptr (AlsStunMessage) binding = NULL;

  scene_init (&scene);
  request = ask (&scene);
  reply_error (&scene, request, 486, NULL);
  expect_error (&scene, ALS_TURN_EVENT_REFUSED, ALS_TURN_ERROR_QUOTA);
  binding = take_request (&scene, ALS_STUN_BINDING);
  reply_error (&scene, binding, 401, "nonce");
  expect_error (&scene, ALS_TURN_EVENT_NO_ENDPOINT, ALS_TURN_ERROR_WRONG_CREDENTIALS);
  expect_silence (&scene);
}

static void
test_alternate (void)
{
  g_auto (Scene) scene;
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) request = NULL;

  scene_init (&scene);
  request = ask (&scene);
  begin (&builder, ALS_STUN_FAILURE, request);
  als_stun_builder_add_error (&builder, 300, "");
  als_stun_builder_add_address (&builder, ALS_STUN_ALTERNATE_SERVER, &scene.peer);
  finish (&scene, &builder);
  expect_error (&scene, ALS_TURN_EVENT_REFUSED, ALS_TURN_ERROR_ALTERNATE_SERVER);
  g_assert_true (als_stun_address_equal (als_turn_session_get_alternate (scene.session),
                                         &scene.peer));
}

static void
test_alternate_nowhere (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsStunMessage) request = NULL;

  scene_init (&scene);
  request = ask (&scene);
  reply_error (&scene, request, 300, NULL);
  expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_BAD_ANSWER);
  expect_silence (&scene);
}

static void
test_permission (void)
{
  g_auto (Scene) scene;
  AlsStunAddress stranger;

  scene_init (&scene);
  g_assert_false (als_turn_session_permit (scene.session, &scene.peer, scene.now_us));
  allocate (&scene, 3600);
  permit (&scene);
  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (AlsStunMessage) request = NULL;

      advance_to (&scene, scene.now_us + 240 * SECOND_US);
      request = take_signed (&scene, ALS_STUN_CREATE_PERMISSION);
      reply_ok (&scene, request);
      expect_silence (&scene);
    }
  g_assert_true (als_turn_session_permit (scene.session, &scene.peer, scene.now_us));
  expect_plain (&scene, ALS_TURN_EVENT_PERMITTED);
  expect_silence (&scene);
  for (guint i = 1; i < ALS_TURN_MAX_PERMISSIONS; i++)
    {
      g_autofree char *ip = g_strdup_printf ("192.0.2.%u", i);

      g_assert_true (als_stun_address_parse (&stranger, ip, 1));
      g_assert_true (als_turn_session_permit (scene.session, &stranger, scene.now_us));
    }
  g_assert_true (als_stun_address_parse (&stranger, "192.0.2.99", 1));
  g_assert_false (als_turn_session_permit (scene.session, &stranger, scene.now_us));
  g_assert_true (als_stun_address_parse (&stranger, "224.0.0.1", 1));
  g_assert_false (als_turn_session_connect (scene.session, &stranger, scene.now_us));
}

static void
test_renewal_refused (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsStunMessage) request = NULL;

  scene_init (&scene);
  allocate (&scene, 3600);
  permit (&scene);
  advance_to (&scene, scene.now_us + 240 * SECOND_US);
  request = take_signed (&scene, ALS_STUN_CREATE_PERMISSION);
  reply_error (&scene, request, 403, NULL);
  expect_error (&scene, ALS_TURN_EVENT_PERMISSION_REFUSED, ALS_TURN_ERROR_FORBIDDEN);
  g_assert_cmpint (als_turn_session_get_state (scene.session), ==, ALS_TURN_STATE_ALLOCATED);
}

static void
test_connect (void)
{
  g_auto (Scene) scene;
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) request = NULL;
  g_autoptr (AlsStunMessage) second = NULL;
  g_autoptr (AlsStunMessage) third = NULL;
  g_autoptr (AlsTurnEvent) event = NULL;

  scene_init (&scene);
  allocate (&scene, 600);
  g_assert_true (als_turn_session_connect (scene.session, &scene.peer, scene.now_us));
  request = take_signed (&scene, ALS_STUN_CONNECT);
  begin (&builder, ALS_STUN_SUCCESS, request);
  als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, 0xabcdef01);
  finish (&scene, &builder);
  event = expect (&scene, ALS_TURN_EVENT_CONNECTION);
  g_assert_cmphex (event->connection_id, ==, 0xabcdef01);
  g_assert_false (event->is_incoming);
  g_assert_true (als_stun_address_equal (&event->peer, &scene.peer));
  g_assert_cmpint (event->bind_by_us, ==, scene.now_us + 30 * SECOND_US);

  g_assert_true (als_turn_session_connect (scene.session, &scene.peer, scene.now_us));
  second = take_signed (&scene, ALS_STUN_CONNECT);
  reply_error (&scene, second, 446, NULL);
  expect_error (&scene, ALS_TURN_EVENT_CONNECT_REFUSED, ALS_TURN_ERROR_CONNECTION_EXISTS);
  g_assert_true (als_turn_session_connect (scene.session, &scene.peer, scene.now_us));
  third = take_signed (&scene, ALS_STUN_CONNECT);
  reply_error (&scene, third, 447, NULL);
  expect_error (&scene, ALS_TURN_EVENT_CONNECT_REFUSED, ALS_TURN_ERROR_PEER_UNREACHABLE);
  g_assert_cmpint (als_turn_session_get_state (scene.session), ==, ALS_TURN_STATE_ALLOCATED);
}

static void
attempt (Scene *scene, const AlsStunAddress *peer, uint32_t id)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_INDICATION, ALS_STUN_CONNECTION_ATTEMPT, NULL);
  als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, id);
  als_stun_builder_add_address (&builder, ALS_STUN_XOR_PEER_ADDRESS, peer);
  feed (scene, &builder);
}

static void
test_attempt (void)
{
  g_auto (Scene) scene;
  g_autoptr (AlsTurnEvent) event = NULL;
  AlsStunAddress other_port, stranger;
  guint n = 0;

  scene_init (&scene);
  allocate (&scene, 600);
  permit (&scene);
  g_assert_true (als_stun_address_parse (&stranger, "192.0.2.66", 6));
  attempt (&scene, &stranger, 1);
  expect_silence (&scene);
  other_port = scene.peer;
  other_port.port++;
  attempt (&scene, &other_port, 2);
  event = expect (&scene, ALS_TURN_EVENT_CONNECTION);
  g_assert_true (event->is_incoming);
  g_assert_cmpuint (event->connection_id, ==, 2);
  g_assert_cmpint (event->bind_by_us, ==, scene.now_us + 30 * SECOND_US);
  for (guint i = 0; i < 1000; i++)
    attempt (&scene, &scene.peer, i);
  for (AlsTurnEvent *flood; (flood = als_turn_session_take_event (scene.session)) != NULL; n++)
    als_turn_event_free (flood);
  g_assert_cmpuint (n, ==, ALS_TURN_MAX_ATTEMPTS);
  attempt (&scene, &scene.peer, 3);
  expect_plain (&scene, ALS_TURN_EVENT_CONNECTION);
}

static void
test_forged (void)
{
  for (guint i = 0; i < 3; i++)
    {
      g_auto (Scene) scene;
      g_auto (AlsStunBuilder) builder = { 0 };
      g_autoptr (AlsStunMessage) request = NULL;

      scene_init (&scene);
      request = ask (&scene);
      begin (&builder, ALS_STUN_SUCCESS, request);
      als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, i == 2 ? 0 : 600);
      if (i != 1)
        als_stun_builder_add_address (&builder, ALS_STUN_XOR_RELAYED_ADDRESS, &scene.relayed);
      if (i == 0)
        scene.key[0] ^= 1;
      finish (&scene, &builder);
      expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_BAD_ANSWER);
      expect_silence (&scene);
    }
}

static void
test_unanswered (void)
{
  g_auto (Scene) scene;

  scene_init (&scene);
  als_turn_session_start (scene.session, scene.now_us);
  als_stun_message_free (take_request (&scene, ALS_STUN_ALLOCATE));
  advance_to (&scene, scene.now_us + 39500 * 1000);
  expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_TIMED_OUT);
  expect_silence (&scene);
}

static void
test_strange_answers (void)
{
  g_auto (Scene) scene;
  g_auto (AlsStunBuilder) builder = { 0 };
  g_auto (AlsStunBuilder) method = { 0 };
  g_autoptr (AlsStunMessage) request = NULL;

  scene_init (&scene);
  request = ask (&scene);
  /* Another transaction, and the right one under another method. */
  als_stun_builder_init (&builder, ALS_STUN_FAILURE, ALS_STUN_ALLOCATE, NULL);
  als_stun_builder_add_error (&builder, 486, "");
  feed (&scene, &builder);
  als_stun_builder_init (&method, ALS_STUN_FAILURE, ALS_STUN_REFRESH, request->transaction);
  als_stun_builder_add_error (&method, 486, "");
  feed (&scene, &method);
  expect_silence (&scene);
  reply_allocation (&scene, request, 600);
  expect_plain (&scene, ALS_TURN_EVENT_ALLOCATED);
  /* The same once more. */
  reply_allocation (&scene, request, 600);
  expect_silence (&scene);
}

static void
test_garbage (void)
{
  g_auto (Scene) scene;

  scene_init (&scene);
  als_turn_session_start (scene.session, scene.now_us);
  als_turn_session_feed (scene.session, (const uint8_t *) "HTTP/1.1", 8, scene.now_us);
  expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_BAD_ANSWER);
  expect_silence (&scene);
  als_turn_session_close (scene.session);
  als_turn_session_leave (scene.session, scene.now_us);
  expect_silence (&scene);
}

static void
test_closed (void)
{
  g_auto (Scene) scene;

  scene_init (&scene);
  allocate (&scene, 600);
  als_turn_session_close (scene.session);
  expect_error (&scene, ALS_TURN_EVENT_FAILED, ALS_TURN_ERROR_CLOSED);
  g_assert_cmpint (als_turn_session_get_deadline (scene.session), ==, INT64_MAX);
}

static void
test_leave (void)
{
  for (guint i = 0; i < 4; i++)
    {
      g_auto (Scene) scene;
      g_autoptr (AlsStunMessage) request = NULL;
      g_autoptr (AlsStunMessage) again = NULL;
      uint32_t lifetime_s;

      scene_init (&scene);
      allocate (&scene, 600);
      permit (&scene);
      als_turn_session_leave (scene.session, scene.now_us);
      request = take_signed (&scene, ALS_STUN_REFRESH);
      g_assert_true (als_stun_message_get_u32 (request, ALS_STUN_LIFETIME, &lifetime_s));
      g_assert_cmpuint (lifetime_s, ==, 0);
      expect_silence (&scene);
      switch (i)
        {
        case 0:
          reply_ok (&scene, request);
          break;
        case 1:
          advance_to (&scene, scene.now_us + 2 * SECOND_US);
          break;
        case 2:
          als_turn_session_close (scene.session);
          break;
        default:
          reply_error (&scene, request, 438, "nonce-2");
          again = take_signed (&scene, ALS_STUN_REFRESH);
          reply_ok (&scene, again);
          break;
        }
      expect_plain (&scene, ALS_TURN_EVENT_LEFT);
      expect_silence (&scene);
      g_assert_cmpint (als_turn_session_get_state (scene.session), ==, ALS_TURN_STATE_LEFT);
      g_assert_cmpint (als_turn_session_get_deadline (scene.session), ==, INT64_MAX);
    }
}

static void
test_all_day (void)
{
  g_auto (Scene) scene;
  int64_t end_us;
  guint n = 0;

  scene_init (&scene);
  allocate (&scene, 600);
  permit (&scene);
  end_us = scene.now_us + 24 * 3600 * SECOND_US;
  while (scene.now_us < end_us)
    {
      g_autoptr (GBytes) bytes = NULL;

      scene.now_us = als_turn_session_get_deadline (scene.session);
      als_turn_session_poll (scene.session, scene.now_us);
      while ((bytes = als_turn_session_take_output (scene.session)) != NULL)
        {
          g_autoptr (AlsStunMessage) request = decode (bytes);

          reply_ok (&scene, request);
          n++;
          g_clear_pointer (&bytes, g_bytes_unref);
        }
    }
  expect_silence (&scene);
  g_assert_cmpuint (n, ==, 24 * 3600 / 540 + 24 * 3600 / 240);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/turn/session/a-challenge-is-met-and-the-relay-is-there", test_allocate);
  g_test_add_func ("/turn/session/is-refreshed-before-expiry", test_refresh);
  g_test_add_func ("/turn/session/ends-when-the-refresh-is-refused", test_refresh_refused);
  g_test_add_func ("/turn/session/stale-nonce-is-retried-once", test_stale);
  g_test_add_func ("/turn/session/each-refusal-has-a-name-a-remedy-and-still-an-endpoint",
                   test_refused);
  g_test_add_func ("/turn/session/a-refused-binding-ends-nothing", test_no_endpoint);
  g_test_add_func ("/turn/session/another-server-is-named", test_alternate);
  g_test_add_func ("/turn/session/another-server-without-address-is-a-bad-answer",
                   test_alternate_nowhere);
  g_test_add_func ("/turn/session/permissions-are-renewed-and-limited", test_permission);
  g_test_add_func ("/turn/session/a-renewal-that-is-refused-is-told", test_renewal_refused);
  g_test_add_func ("/turn/session/connect-gives-a-connection-or-a-reason", test_connect);
  g_test_add_func ("/turn/session/attempts-of-strangers-and-floods-are-dropped", test_attempt);
  g_test_add_func ("/turn/session/forged-or-empty-success-is-no-allocation", test_forged);
  g_test_add_func ("/turn/session/an-unanswered-request-ends", test_unanswered);
  g_test_add_func ("/turn/session/answers-to-nothing-are-ignored", test_strange_answers);
  g_test_add_func ("/turn/session/garbage-ends-it-once", test_garbage);
  g_test_add_func ("/turn/session/a-closed-connection-ends-it", test_closed);
  g_test_add_func ("/turn/session/leaving-gives-the-allocation-back-within-two-seconds",
                   test_leave);
  g_test_add_func ("/turn/session/lives-for-a-day", test_all_day);
  return g_test_run ();
}
