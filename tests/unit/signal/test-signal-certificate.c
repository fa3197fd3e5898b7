/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-fake-rendezvous.h"
#include "als-signal-recorder.h"
#include "als-test-certificate.h"
#include "als-wait.h"

static void
test_certificate_is_checked (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsCertificate) certificate =
    g_tls_certificate_new_from_pem (ALS_TEST_CERTIFICATE, -1, &error);
  g_autoptr (AlsFakeRendezvous) fake = NULL;
  const char *uris[] = { NULL, NULL };
  AlsSignalRecorder recorder;

  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    {
      g_test_skip ("GIO has no TLS here");
      return;
    }
  g_assert_no_error (error);
  fake = als_fake_rendezvous_new (certificate);
  uris[0] = fake->uri;
  als_signal_recorder_init (&recorder, uris);
  als_signal_client_start (recorder.client);
  als_wait_until (recorder.n_failed == 1);
  g_assert_cmpint (recorder.error, ==, ALS_SIGNAL_ERROR_UNREACHABLE);
  g_assert_cmpuint (fake->n_connections, ==, 0);
  als_signal_recorder_clear (&recorder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/certificate/is-checked", test_certificate_is_checked);
  return g_test_run ();
}
