/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/als-path-kind.h"

static const char *const names[ALS_N_PATH_KINDS] = {
  "none", "signal-relay", "turn-tcp", "turn-udp", "direct-udp", "direct-tcp",
};

const char *
als_path_kind_to_string (AlsPathKind kind)
{
  return kind < ALS_N_PATH_KINDS ? names[kind] : "unknown";
}

guint
als_path_kinds_parse (const char *list)
{
  g_auto (GStrv) words = g_strsplit (list, ",", ALS_N_PATH_KINDS + 1);
  guint kinds = 0;

  for (guint i = 0; words[i] != NULL; i++)
    {
      guint kind;

      for (kind = ALS_PATH_SIGNAL_RELAY; kind < ALS_N_PATH_KINDS; kind++)
        if (g_str_equal (g_strstrip (words[i]), names[kind]))
          break;
      if (kind == ALS_N_PATH_KINDS)
        return 0;
      kinds |= 1u << kind;
    }
  return kinds;
}
