/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-ui-errors.h"

#include "transfer/als-transfer.h"
#include "visit/als-visit-error.h"

#include <glib/gi18n.h>

typedef struct
{
  int code;
  const char *title;
  const char *joiner;   /* for who typed the code */
  const char *inviter;  /* for who showed it; NULL: the same */
  AlsUiNext next;
} Entry;

static const Entry visit_errors[] = {
  { ALS_VISIT_ERROR_OFFLINE, N_("No Network"),
    N_("This computer is not connected to a network. Check the cable or the Wi-Fi, then try again."),
    NULL, ALS_UI_NEXT_TRY_AGAIN },
  { ALS_VISIT_ERROR_SERVER, N_("The Server Does Not Answer"),
    N_("The server that introduces the two computers cannot be reached. It may be down, or a firewall may be in the way. Try again in a moment, or look at the address in the preferences."),
    NULL, ALS_UI_NEXT_TRY_AGAIN },
  { ALS_VISIT_ERROR_SERVER_VERSION, N_("Update Needed"),
    N_("The server speaks another version of the language of this app. Update Alongside on this computer, or use another server in the preferences."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_SERVER_PROTOCOL, N_("The Server Gave a Strange Answer"),
    N_("What answers at the server’s address does not behave like a rendezvous server. Look at the address in the preferences."),
    NULL, ALS_UI_NEXT_TRY_AGAIN },
  { ALS_VISIT_ERROR_BAD_CODE, N_("That Is No Code"),
    N_("A code has twelve digits, such as 482 913 607 154. Check what you typed."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_OWN_CODE, N_("That Is Your Own Code"),
    N_("This code is shown by your own window. Read it to the other person, or type theirs here."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_UNKNOWN_CODE, N_("Nobody Waits Under This Code"),
    N_("The code may have expired, or one of its first six digits is wrong. Ask the other person to read it once more."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_WRONG_CODE, N_("The Code Is Wrong"),
    N_("One of the last six digits is wrong. Ask the other person to read the code once more."),
    N_("The other side typed a wrong code. Read them the code once more."), ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_BURNT_CODE, N_("This Code No Longer Works"),
    N_("The code was typed wrong too often and was thrown away. Ask the other person for a new one."),
    N_("The code was typed wrong three times and was thrown away, so that nobody can guess it. Make a new one."),
    ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_BUSY, N_("Somebody Else Is Connecting"),
    N_("Another person is using this code at this moment. Wait a little and try again, or ask for a new code."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_RATE_LIMITED, N_("Too Many Tries"),
    N_("The server asks for a pause, because this computer tried too often. Wait a minute, then try again."),
    NULL, ALS_UI_NEXT_TRY_AGAIN },
  { ALS_VISIT_ERROR_DECLINED, N_("They Declined"),
    N_("The other person chose not to let you in. Nothing was shown or sent. If that was a mistake, ask them for a new code."),
    N_("You declined. Nothing was shown or sent, and the code no longer works."), ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_NO_ANSWER, N_("No Answer"),
    N_("The other person did not allow it in time. Ask them for a new code, and to press a button when your name appears."),
    N_("You did not answer in time, so nothing was shown or sent."), ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_PEER_LEFT, N_("The Other Person Left"),
    N_("They ended it, or closed their window. Files that were complete are kept."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_PEER_LOST, N_("Connection Lost"),
    N_("There was no way to the other computer for too long: its network or this one may be down. Check the network, then start again with a new code."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_PEER_VERSION, N_("Update Needed"),
    N_("The other computer has another version of Alongside that does not understand this one. Update both, then try again."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_PEER_PROTOCOL, N_("Ended for Safety"),
    N_("The other computer sent something that makes no sense, so the session was ended. Update Alongside on both sides if it happens again."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_STOPPED, N_("You Ended It"),
    N_("The other person can no longer see or send anything. Files that were complete are kept."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_SCREEN, N_("The Screen Cannot Be Shown"),
    N_("The screen of the other computer cannot be captured. Files can still be exchanged in a new session."),
    N_("The screen of this computer cannot be captured. Files can still be exchanged in a new session."),
    ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_BAD_INVITATION, N_("That Is No Invitation"),
    N_("This is not the text that is expected here. Copy the other person’s whole message once more."),
    NULL, ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_OLD_INVITATION, N_("This Invitation Is Over"),
    N_("It has been used already, or it is too old. Ask the other person for a new one."),
    N_("It has been used already, or it is too old. Make a new one."), ALS_UI_NEXT_START },
  { ALS_VISIT_ERROR_NO_WAY, N_("No Way Between the Networks"),
    N_("Both computers tried many times at the same moment, and nothing came through. Use a rendezvous server, or another network on one side."),
    NULL, ALS_UI_NEXT_START },
};

void
als_ui_error_describe (const GError *error, gboolean is_inviter, AlsUiErrorText *text)
{
  text->title = _("The Session Ended");
  text->sentence = _("You can start again with a new code.");
  text->next = ALS_UI_NEXT_START;

  if (error == NULL)
    return;
  if (error->domain != ALS_VISIT_ERROR)
    {
      text->title = _("Something Went Wrong");
      text->sentence = _("This was not expected. Start again with a new code; copy the details if you report it.");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (visit_errors); i++)
    if (visit_errors[i].code == error->code)
      {
        const Entry *entry = &visit_errors[i];

        text->title = _(entry->title);
        text->sentence = is_inviter && entry->inviter != NULL ? _(entry->inviter)
                                                              : _(entry->joiner);
        text->next = entry->next;
      }
}

char *
als_ui_error_describe_code (const GError *error, guint tries_left)
{
  AlsUiErrorText text;

  als_ui_error_describe (error, FALSE, &text);
  if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_WRONG_CODE) && tries_left > 0)
    {
      g_autofree char *tries = g_strdup_printf (ngettext ("%u try is left.", "%u tries are left.",
                                                          tries_left), tries_left);

      /* Translators: a sentence on a wrong code, and one that says how many tries are left */
      return g_strdup_printf (_("%1$s %2$s"), text.sentence, tries);
    }
  return g_strdup (text.sentence);
}

const char *
als_ui_error_describe_transfer (const GError *error)
{
  if (error == NULL || error->domain != ALS_TRANSFER_ERROR)
    return _("It did not work");
  switch ((AlsTransferError) error->code)
    {
    case ALS_TRANSFER_ERROR_READ:
      return _("A file could not be read, or was changed meanwhile");
    case ALS_TRANSFER_ERROR_WRITE:
      return _("The folder on this computer cannot be written");
    case ALS_TRANSFER_ERROR_DISK_FULL:
      return _("There is not enough space on this computer");
    case ALS_TRANSFER_ERROR_PEER_READ:
      return _("The other computer could not read a file");
    case ALS_TRANSFER_ERROR_PEER_WRITE:
      return _("The other computer could not save it");
    case ALS_TRANSFER_ERROR_PEER_DISK_FULL:
      return _("There is not enough space on the other computer");
    case ALS_TRANSFER_ERROR_DECLINED:
      return _("Declined");
    case ALS_TRANSFER_ERROR_CANCELLED:
      return _("You cancelled it");
    case ALS_TRANSFER_ERROR_PEER_CANCELLED:
      return _("Cancelled by the other side");
    case ALS_TRANSFER_ERROR_DAMAGED:
      return _("It arrived damaged and was not kept");
    case ALS_TRANSFER_ERROR_PROTOCOL:
      return _("The other computer sent something that makes no sense");
    case ALS_TRANSFER_ERROR_SESSION:
      return _("The session ended before it was complete");
    default:
      return _("It did not work");
    }
}

char *
als_ui_error_to_details (const GError *error)
{
  if (error == NULL)
    return g_strdup ("none");
  return g_strdup_printf ("%s %d", g_quark_to_string (error->domain), error->code);
}
