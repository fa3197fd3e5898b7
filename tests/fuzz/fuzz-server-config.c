/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Any text is a configuration or an error with a place. */

#include "server/als-ice-list.h"
#include "server/als-server-config.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  g_autoptr (GError) error = NULL;

  if (!als_server_config_load_data (config, "fuzz", (const char *)data, size, &error))
    {
      g_assert_true (g_str_has_prefix (error->message, "fuzz: "));
      return 0;
    }
  g_assert_no_error (error);
  if (als_server_config_check (config, NULL))
    g_ptr_array_unref (als_ice_list_make (config, TRUE, 0));
  return 0;
}
