/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server/als-ice-list.h"
#include "server/als-server-config.h"

#include <string.h>

static void
test_all_keys (void)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  g_autoptr (GError) error = NULL;
  const char text[]
      = "# a comment\n\n[server]\nlisten = 0.0.0.0:8443; [::]:0 ;\ntls-cert=/a b/cert.pem\r\n"
        "tls-key=/key.pem\ntrusted-proxies=127.0.0.1;10.0.0.0/8;::1\nexit-after=5\n"
        "[limits]\nconnections=9\nconnect-interval=0.5\njoin-burst=7\njoin-interval=2.5\n"
        "[rendezvous]\nheartbeat=11\nkeep=0\nrelay-rate=20000\nrelay-backlog=131072\n"
        "[ice]\nstun=stun.example:3478\nturn=[2001:db8::1]:3478;192.0.2.1:3478\nturns=t:443\n"
        "turn-secret=a=b\\c;d\nturn-ttl=3600\n";
  const AlsIceServer *server;

  als_server_config_load_data (config, "file", text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_true (als_server_config_check (config, &error));
  g_assert_cmpuint (config->listen->len, ==, 2);
  g_assert_cmpuint (g_inet_socket_address_get_port (g_ptr_array_index (config->listen, 0)), ==,
                    8443);
  g_assert_cmpstr (config->tls_cert, ==, "/a b/cert.pem");
  g_assert_cmpuint (config->trusted_proxies->len, ==, 3);
  g_assert_cmpuint (config->exit_after_s, ==, 5);
  g_assert_cmpuint (config->max_connections, ==, 9);
  g_assert_cmpfloat (config->connect_interval_s, ==, 0.5);
  g_assert_cmpuint (config->rendezvous.join_burst, ==, 7);
  g_assert_cmpfloat (config->rendezvous.join_interval_s, ==, 2.5);
  g_assert_cmpuint (config->rendezvous.heartbeat_s, ==, 11);
  g_assert_cmpuint (config->rendezvous.keep_s, ==, 0);
  g_assert_cmpuint (config->rendezvous.relay_rate, ==, 20000);
  g_assert_cmpuint (config->rendezvous.relay_backlog, ==, 131072);
  g_assert_cmpuint (config->turn_ttl_s, ==, 3600);
  g_assert_cmpstr (config->turn_secret, ==, "a=b\\c;d");
  g_assert_cmpuint (config->ice_servers->len, ==, 4);
  server = g_ptr_array_index (config->ice_servers, 1);
  g_assert_cmpstr (server->host, ==, "2001:db8::1");
  g_assert_cmpint (server->kind, ==, ALS_ICE_SERVER_TURN);
}

static void
test_errors (void)
{
  const struct
  {
    const char *text;
    const char *message;
  } cases[] = {
    { "[server]\n\n[sever]\n", "conf: line 3: a group of this name is not known" },
    { "listen=1.2.3.4:5\n", "conf: line 1: a value before the first [group]" },
    { "[server]\nlisten 1.2.3.4:5\n", "conf: line 2: neither a [group] nor key=value" },
    { "[server]\n[\n", "conf: line 2: neither a [group] nor key=value" },
    { "[]\n", "conf: line 1: a group of this name is not known" },
    { "[limits]\nheartbeat=5\n", "conf: line 2: a key of this name is not known here" },
    { "[rendezvous]\nkeep=5\nkeep=6\n", "conf: line 3: this key comes twice" },
    { "[rendezvous]\n# x\nheartbeat=0\n",
      "conf: line 3: [rendezvous] heartbeat: not a number between 1 and 3600" },
    { "[rendezvous]\nheartbeat=20s\n",
      "conf: line 2: [rendezvous] heartbeat: not a number between 1 and 3600" },
    { "[rendezvous]\nheartbeat=-1\n",
      "conf: line 2: [rendezvous] heartbeat: not a number between 1 and 3600" },
    { "[limits]\njoin-interval=nan\n",
      "conf: line 2: [limits] join-interval: not a number between 0.0001 and 86400" },
    { "[limits]\njoin-interval=\n",
      "conf: line 2: [limits] join-interval: not a number between 0.0001 and 86400" },
    { "[server]\nlisten=example.org:443\n",
      "conf: line 2: [server] listen: not ADDRESS:PORT with a numeric address, such as "
      "0.0.0.0:8443 or [::]:8443" },
    { "[server]\nlisten=::1:443\n", "conf: line 2: [server] listen: not ADDRESS:PORT with a "
                                    "numeric address, such as 0.0.0.0:8443 or [::]:8443" },
    { "[server]\ntrusted-proxies=10.0.0.0/33\n",
      "conf: line 2: [server] trusted-proxies: not an address or ADDRESS/BITS" },
    { "[server]\ntls-key=\n", "conf: line 2: [server] tls-key: empty or too long" },
    { "[ice]\nturn-accepts-foreign-peers=yes\n",
      "conf: line 2: [ice] turn-accepts-foreign-peers: neither true nor false" },
    { "[ice]\nstun=stun.example\n", "conf: line 2: [ice] stun: not HOST:PORT" },
    { "[ice]\nstun=stun.example:0\n", "conf: line 2: [ice] stun: not HOST:PORT" },
    { "[ice]\nstun=stun:stun.example:3478\n", "conf: line 2: [ice] stun: not HOST:PORT" },
    { "[ice]\nstun=a:1;a:2;a:3;a:4;a:5;a:6;a:7;a:8\nturn=a:9\n",
      "conf: line 3: [ice] turn: too many STUN and TURN servers: 8 can be told to an app" },
    { "\xff", "conf: not UTF-8 text" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsServerConfig) config = als_server_config_new ();
      g_autoptr (GError) error = NULL;

      g_assert_false (als_server_config_load_data (config, "conf", cases[i].text,
                                                   strlen (cases[i].text), &error));
      g_assert_error (error, ALS_SERVER_CONFIG_ERROR, ALS_SERVER_CONFIG_ERROR_INVALID);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
}

/* A secret on a line that is wrong does not reach a log. */
static void
test_no_quotes (void)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  g_autoptr (GError) error = NULL;
  const char text[] = "[ice]\nturn-secert=hunter2\n";

  g_assert_false (als_server_config_load_data (config, "conf", text, strlen (text), &error));
  g_assert_null (strstr (error->message, "hunter2"));
}

static void
test_check (void)
{
  const struct
  {
    const char *text;
    const char *message;
  } cases[] = {
    { "", "no address to listen on" },
    { "[server]\nlisten=1.2.3.4:5\ntls-cert=a\n", "tls-cert and tls-key come together" },
    { "[server]\nlisten=1.2.3.4:5\n[ice]\nturn=a:1\n",
      "TURN servers need turn-secret, the static-auth-secret of coturn" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsServerConfig) config = als_server_config_new ();
      g_autoptr (GError) error = NULL;

      g_assert_true (als_server_config_load_data (config, "conf", cases[i].text,
                                                  strlen (cases[i].text), NULL));
      g_assert_false (als_server_config_check (config, &error));
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
}

static void
test_no_file (void)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (als_server_config_load (config, "/nonexistent/conf", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

/* The file that is installed for operators. */
static void
test_example (void)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  g_autoptr (AlsServerConfig) uncommented = als_server_config_new ();
  g_autofree char *file
      = g_test_build_filename (G_TEST_DIST, "alongside-signald.conf.example", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GRegex) regex = g_regex_new ("^#([a-z-]+=)", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *all = NULL;
  g_autoptr (GError) error = NULL;

  als_server_config_load (config, file, &error);
  g_assert_no_error (error);
  als_server_config_check (config, &error);
  g_assert_no_error (error);
  /* What is commented out is valid, too. */
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  all = g_regex_replace (regex, text, -1, 0, "\\1", 0, NULL);
  g_assert_cmpstr (all, !=, text);
  als_server_config_load_data (uncommented, "example", all, strlen (all), &error);
  g_assert_no_error (error);
  als_server_config_check (uncommented, &error);
  g_assert_no_error (error);
}

static void
test_foreign_peers (void)
{
  static const char text[] = "[ice]\nturn-accepts-foreign-peers=true\n";
  g_autoptr (AlsServerConfig) config = als_server_config_new ();

  g_assert_false (config->rendezvous.foreign_peers);
  g_assert_true (als_server_config_load_data (config, "conf", text, strlen (text), NULL));
  g_assert_true (config->rendezvous.foreign_peers);
}

static void
test_ice_list (void)
{
  g_autoptr (AlsServerConfig) config = als_server_config_new ();
  const char text[] = "[ice]\nstun=a:1\nturn=b:2;a:1\nturns=c:3\nturn-secret=north\n";
  g_autoptr (GPtrArray) servers = NULL;
  g_autoptr (GPtrArray) again = NULL;
  g_autoptr (GPtrArray) without = NULL;
  g_autofree char *known = als_ice_list_credential ("north", "1433895918:ninefingers");
  g_autofree char *credential = NULL;
  const AlsIceServer *turn;

  /* As openssl dgst -sha1 -hmac computes it. */
  g_assert_cmpstr (known, ==, "jy8hTxmOO7UtEKXqSkSlvakPVYA=");
  als_server_config_load_data (config, "conf", text, strlen (text), NULL);
  servers = als_ice_list_make (config, TRUE, 1000);
  again = als_ice_list_make (config, TRUE, 1000);
  without = als_ice_list_make (config, FALSE, 1000);
  g_assert_cmpuint (servers->len, ==, 4);
  /* A TURN server answers Bindings without a login; each is told once, none over TLS. */
  g_assert_cmpuint (without->len, ==, 2);
  for (guint i = 0; i < without->len; i++)
    {
      const AlsIceServer *server = g_ptr_array_index (without, i);

      g_assert_cmpint (server->kind, ==, ALS_ICE_SERVER_STUN);
      g_assert_cmpstr (server->host, ==, i == 0 ? "a" : "b");
      g_assert_null (server->username);
      g_assert_null (server->credential);
    }
  g_assert_null (((AlsIceServer *)g_ptr_array_index (servers, 0))->username);
  turn = g_ptr_array_index (servers, 1);
  g_assert_true (g_str_has_prefix (turn->username, "44200:"));
  g_assert_cmpstr (turn->username, !=, ((AlsIceServer *)g_ptr_array_index (again, 1))->username);
  credential = als_ice_list_credential ("north", turn->username);
  g_assert_cmpstr (turn->credential, ==, credential);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/config/foreign-peers-are-let-in-only-where-it-says-so", test_foreign_peers);
  g_test_add_func ("/server/config/takes-every-kind-of-value", test_all_keys);
  g_test_add_func ("/server/config/errors-name-file-line-and-key", test_errors);
  g_test_add_func ("/server/config/errors-quote-no-secret", test_no_quotes);
  g_test_add_func ("/server/config/what-belongs-together-comes-together", test_check);
  g_test_add_func ("/server/config/missing-file-is-an-error", test_no_file);
  g_test_add_func ("/server/config/example-is-valid", test_example);
  g_test_add_func ("/server/ice-list/logins-are-what-coturn-expects", test_ice_list);
  return g_test_run ();
}
