/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Why a visit ended, in a sentence, a word and an exit code. */

#include "config.h"

#include "cli/als-cli.h"

#include <glib/gi18n.h>

static const struct
{
  AlsExit exit;
  const char *reason;
  const char *sentence;
} errors[] = {
  [ALS_VISIT_ERROR_OFFLINE] = { ALS_EXIT_SERVER, "offline", N_ ("This computer has no network. Connect it and try again.") },
  [ALS_VISIT_ERROR_SERVER] = { ALS_EXIT_SERVER, "server", N_ ("The rendezvous server does not answer. Check its address and your network, then try again.") },
  [ALS_VISIT_ERROR_SERVER_VERSION] = { ALS_EXIT_SERVER, "server-version", N_ ("The rendezvous server is of another version. Update Alongside, or ask who runs the server to.") },
  [ALS_VISIT_ERROR_SERVER_PROTOCOL] = { ALS_EXIT_SERVER, "server-protocol", N_ ("What answers there is not a rendezvous server that we understand. Check its address.") },
  [ALS_VISIT_ERROR_BAD_CODE] = { ALS_EXIT_USAGE, "bad-code", N_ ("That is not a code: it has 12 digits, such as 482 913 607 154.") },
  [ALS_VISIT_ERROR_OWN_CODE] = { ALS_EXIT_CODE, "own-code", N_ ("That is your own code. Type the one that the other side reads out.") },
  [ALS_VISIT_ERROR_UNKNOWN_CODE] = { ALS_EXIT_CODE, "unknown-code", N_ ("Nobody waits under that code. Ask for it again: it may have been renewed.") },
  [ALS_VISIT_ERROR_WRONG_CODE] = { ALS_EXIT_CODE, "wrong-code", N_ ("The code is wrong. Compare it digit by digit and try again.") },
  [ALS_VISIT_ERROR_BURNT_CODE] = { ALS_EXIT_CODE, "burnt-code", N_ ("That code was tried too often and is no longer valid. Ask for a new one.") },
  [ALS_VISIT_ERROR_BUSY] = { ALS_EXIT_CODE, "busy", N_ ("Somebody else is connecting with that code right now. Try again in a moment.") },
  [ALS_VISIT_ERROR_RATE_LIMITED] = { ALS_EXIT_CODE, "rate-limited", N_ ("Too many tries from this network. Wait a minute, then try again.") },
  [ALS_VISIT_ERROR_DECLINED] = { ALS_EXIT_DECLINED, "declined", N_ ("The other side declined.") },
  [ALS_VISIT_ERROR_NO_ANSWER] = { ALS_EXIT_DECLINED, "no-answer", N_ ("Nobody answered the question on the other side. Talk to them, then try again.") },
  [ALS_VISIT_ERROR_PEER_LEFT] = { ALS_EXIT_LOST, "peer-left", N_ ("The other side ended it.") },
  [ALS_VISIT_ERROR_PEER_LOST] = { ALS_EXIT_LOST, "peer-lost", N_ ("There is no way to the other side any more. Start again when both are online.") },
  [ALS_VISIT_ERROR_PEER_VERSION] = { ALS_EXIT_FAILED, "peer-version", N_ ("The other side has another version of Alongside. Update both.") },
  [ALS_VISIT_ERROR_PEER_PROTOCOL] = { ALS_EXIT_FAILED, "peer-protocol", N_ ("The other side sent something that makes no sense; the connection was closed.") },
  [ALS_VISIT_ERROR_STOPPED] = { ALS_EXIT_INTERRUPTED, "stopped", N_ ("Stopped.") },
  [ALS_VISIT_ERROR_SCREEN] = { ALS_EXIT_FAILED, "screen", N_ ("The screen cannot be shared.") },
  [ALS_VISIT_ERROR_BAD_INVITATION] = { ALS_EXIT_CODE, "bad-invitation", N_ ("That is not the text that is expected here. Copy the other side's whole message once more.") },
  [ALS_VISIT_ERROR_OLD_INVITATION] = { ALS_EXIT_CODE, "old-invitation", N_ ("This invitation has been used or is too old. Ask for a new one.") },
  [ALS_VISIT_ERROR_NO_WAY] = { ALS_EXIT_LOST, "no-way", N_ ("The two networks let no direct connection through. Use a rendezvous server, or another network on one side.") },
};

static const struct
{
  AlsExit exit;
  const char *reason;
} transfer_errors[] = {
  [ALS_TRANSFER_ERROR_READ] = { ALS_EXIT_FILE, "read" },
  [ALS_TRANSFER_ERROR_WRITE] = { ALS_EXIT_FILE, "write" },
  [ALS_TRANSFER_ERROR_DISK_FULL] = { ALS_EXIT_FILE, "disk-full" },
  [ALS_TRANSFER_ERROR_PEER_READ] = { ALS_EXIT_FILE, "peer-read" },
  [ALS_TRANSFER_ERROR_PEER_WRITE] = { ALS_EXIT_FILE, "peer-write" },
  [ALS_TRANSFER_ERROR_PEER_DISK_FULL] = { ALS_EXIT_FILE, "peer-disk-full" },
  [ALS_TRANSFER_ERROR_DECLINED] = { ALS_EXIT_DECLINED, "file-declined" },
  [ALS_TRANSFER_ERROR_CANCELLED] = { ALS_EXIT_FILE, "cancelled" },
  [ALS_TRANSFER_ERROR_PEER_CANCELLED] = { ALS_EXIT_FILE, "peer-cancelled" },
  [ALS_TRANSFER_ERROR_DAMAGED] = { ALS_EXIT_FILE, "damaged" },
  [ALS_TRANSFER_ERROR_PROTOCOL] = { ALS_EXIT_FAILED, "file-protocol" },
  [ALS_TRANSFER_ERROR_SESSION] = { ALS_EXIT_LOST, "session" },
};

static gboolean
is_known (const GError *error)
{
  return error != NULL && error->domain == ALS_VISIT_ERROR && error->code >= 0
         && error->code < (int) G_N_ELEMENTS (errors) && errors[error->code].reason != NULL;
}

char *
als_cli_describe_error (const GError *error, guint tries_left)
{
  const char *sentence;

  if (!is_known (error))
    return g_strdup (error != NULL ? error->message : _ ("It ended for an unknown reason."));
  sentence = _ (errors[error->code].sentence);
  if (error->code == ALS_VISIT_ERROR_WRONG_CODE && tries_left > 0)
    {
      g_autofree char *left = g_strdup_printf (ngettext ("%u try is left.", "%u tries are left.", tries_left), tries_left);

      return g_strconcat (sentence, " ", left, NULL);
    }
  if (error->code == ALS_VISIT_ERROR_SCREEN)
    return g_strconcat (sentence, " (", error->message, ")", NULL);
  return g_strdup (sentence);
}

static gboolean
is_transfer (const GError *error)
{
  return error != NULL && error->domain == ALS_TRANSFER_ERROR && error->code >= 0
         && error->code < (int) G_N_ELEMENTS (transfer_errors);
}

AlsExit
als_cli_exit_of_error (const GError *error)
{
  if (is_transfer (error))
    return transfer_errors[error->code].exit;
  return is_known (error) ? errors[error->code].exit : ALS_EXIT_FAILED;
}

const char *
als_cli_reason_of_error (const GError *error)
{
  if (is_transfer (error))
    return transfer_errors[error->code].reason;
  return is_known (error) ? errors[error->code].reason : "unknown";
}
