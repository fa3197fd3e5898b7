/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/portmap/als-pcp-client.h"

#include <string.h>

/* RFC 6887, 8.1.1: each wait twice the last one, a tenth more or less, for ever. */
#define PCP_WAIT_US (3 * G_USEC_PER_SEC)
#define PCP_WAIT_MAX_US (1024 * G_USEC_PER_SEC)
#define PCP_RAND 0.1
/* RFC 6886, 3.1: nine requests in 64 s. */
#define NAT_PMP_WAIT_US (250 * 1000)
#define NAT_PMP_SENDS 9
/* Leaving is over in less than two seconds: at 0, 0.25 and 0.75 s. */
#define LEAVE_WAIT_US (250 * 1000)
#define LEAVE_SENDS 3

/* RFC 6887, 15: longer leases count as this. */
#define MAX_LEASE_S (24 * 60 * 60)
/* RFC 6887, 11.2.1: renewed between 1/2 and 5/8 of the lease, no sooner than after 4 s. */
#define MIN_RENEW_US (4 * G_USEC_PER_SEC)
/* RFC 6887, 7.4: short and long lifetimes of errors. */
#define MIN_REFUSAL_S 30
#define MAX_REFUSAL_S (30 * 60)
/* What NAT-PMP leaves to us. */
#define NAT_PMP_REFUSAL_S 60

/* RFC 6887, 8.5. */
gboolean
als_pcp_epoch_check (AlsPcpEpoch *self, uint32_t epoch_s, int64_t now_us)
{
  AlsPcpEpoch last = *self;
  int64_t client_s, server_s;

  self->is_known = TRUE;
  self->server_s = epoch_s;
  self->client_us = now_us;
  if (!last.is_known)
    return TRUE;
  /* Datagrams may overtake each other by a second. */
  if ((int64_t) epoch_s + 1 < (int64_t) last.server_s)
    return FALSE;
  client_s = (now_us - last.client_us) / G_USEC_PER_SEC;
  server_s = (int64_t) epoch_s - (int64_t) last.server_s;
  return client_s + 2 >= server_s - server_s / 16 && server_s + 2 >= client_s - client_s / 16;
}

void
als_pcp_client_init (AlsPcpClient *self, const AlsPcpClientConfig *config, int64_t now_us)
{
  *self = (AlsPcpClient){ .config = *config, .due_us = now_us };
  /* The same port outside, if it can be. */
  self->external.port = config->internal_port;
}

/* A new series of requests, the first one then. */
static void
begin_series (AlsPcpClient *self, int64_t due_us)
{
  self->due_us = due_us;
  self->wait_us = 0;
  self->n_sent = 0;
}

static void
end (AlsPcpClient *self)
{
  self->state = ALS_PCP_OVER;
  self->due_us = INT64_MAX;
  self->address_due = FALSE;
}

static GBytes *
make_request (AlsPcpClient *self)
{
  AlsPcpMapRequest request = {
    .version = self->config.version,
    .is_tcp = self->config.is_tcp,
    .internal_port = self->config.internal_port,
    .client = self->config.client,
  };

  memcpy (request.nonce, self->config.nonce, sizeof request.nonce);
  /* RFC 6886, 3.4 and RFC 6887, 15.1: removal is a lifetime of nothing, wishing for nothing. */
  if (!self->is_leaving)
    {
      request.lifetime_s = self->config.lifetime_s;
      request.external = self->external;
    }
  return als_pcp_encode_map (&request);
}

/* How long to wait for the answer of the request that is being sent. */
static int64_t
next_wait (const AlsPcpClient *self)
{
  if (self->is_leaving)
    return self->wait_us == 0 ? LEAVE_WAIT_US : 2 * self->wait_us;
  if (self->config.version == ALS_PCP_NAT_PMP)
    return self->wait_us == 0 ? NAT_PMP_WAIT_US : 2 * self->wait_us;
  return (int64_t) ((self->wait_us == 0 ? PCP_WAIT_US : MIN (2 * self->wait_us, PCP_WAIT_MAX_US))
                    * g_random_double_range (1 - PCP_RAND, 1 + PCP_RAND));
}

/* The last request of a series was not answered. FALSE: another series begins later, or none. */
static gboolean
give_up_series (AlsPcpClient *self, int64_t now_us)
{
  if (self->is_leaving)
    {
      /* Who never answered will not do so now. */
      if (self->n_sent < (self->was_answered ? LEAVE_SENDS : 1))
        return FALSE;
      end (self);
      return TRUE;
    }
  if (self->config.version != ALS_PCP_NAT_PMP || self->n_sent < NAT_PMP_SENDS)
    return FALSE;
  if (self->state == ALS_PCP_MAPPED)
    begin_series (self, MAX (now_us + MIN_RENEW_US, now_us + (self->expires_us - now_us) / 2));
  else
    end (self);
  return TRUE;
}

GBytes *
als_pcp_client_poll (AlsPcpClient *self, int64_t now_us)
{
  if (self->state == ALS_PCP_MAPPED && now_us >= self->expires_us)
    {
      self->state = ALS_PCP_ASKING;
      self->external_port = 0;
      begin_series (self, MIN (self->due_us, now_us));
    }
  if (self->address_due)
    {
      self->address_due = FALSE;
      return als_pcp_encode_address ();
    }
  if (now_us < self->due_us || self->due_us == INT64_MAX || give_up_series (self, now_us))
    return NULL;
  self->wait_us = next_wait (self);
  self->due_us = now_us + (self->is_leaving && !self->was_answered ? 0 : self->wait_us);
  self->n_sent++;
  self->was_asked = TRUE;
  self->address_due = self->config.version == ALS_PCP_NAT_PMP && !self->is_leaving;
  return make_request (self);
}

static void
refused (AlsPcpClient *self, AlsPcpResult result, uint32_t lifetime_s, int64_t now_us)
{
  int64_t delay_s;

  self->result = result;
  if (self->config.version == ALS_PCP_NAT_PMP)
    delay_s = NAT_PMP_REFUSAL_S;
  else
    delay_s = CLAMP (lifetime_s, MIN_REFUSAL_S, MAX_REFUSAL_S);
  /* What we have stays ours until it expires. */
  if (self->state != ALS_PCP_MAPPED)
    self->state = ALS_PCP_REFUSED;
  self->external_port = 0;
  begin_series (self, now_us + delay_s * G_USEC_PER_SEC);
}

static void
granted (AlsPcpClient *self, const AlsStunAddress *external, int64_t now_us)
{
  int64_t lease_us = (int64_t) self->lease_s * G_USEC_PER_SEC;

  if (!als_stun_address_is_usable (external))
    {
      refused (self, ALS_PCP_CANNOT_PROVIDE_EXTERNAL, MIN_REFUSAL_S, now_us);
      return;
    }
  self->state = ALS_PCP_MAPPED;
  self->result = ALS_PCP_SUCCESS;
  self->external = *external;
  self->expires_us = now_us + lease_us;
  begin_series (self, now_us
                        + MAX ((int64_t) (lease_us * g_random_double_range (0.5, 0.625)),
                               MIN_RENEW_US));
}

/* NAT-PMP tells the port and the address apart, in any order. */
static void
join_halves (AlsPcpClient *self, int64_t now_us)
{
  AlsStunAddress external = self->router;

  if (self->external_port == 0 || self->router.family == ALS_STUN_FAMILY_NONE)
    return;
  external.port = self->external_port;
  granted (self, &external, now_us);
}

static gboolean
receive_address (AlsPcpClient *self, const AlsPcpResponse *response, int64_t now_us)
{
  if (self->config.version != ALS_PCP_NAT_PMP || self->is_leaving)
    return FALSE;
  if (response->result != ALS_PCP_SUCCESS)
    {
      if (self->state == ALS_PCP_ASKING)
        refused (self, response->result, 0, now_us);
      return TRUE;
    }
  self->router = response->external;
  if (self->state == ALS_PCP_MAPPED)
    {
      /* It got another address; the port is still ours. */
      memcpy (self->external.ip, self->router.ip, sizeof self->external.ip);
      if (!als_stun_address_is_usable (&self->external))
        {
          self->state = ALS_PCP_ASKING;
          refused (self, ALS_PCP_CANNOT_PROVIDE_EXTERNAL, 0, now_us);
        }
    }
  else if (self->state == ALS_PCP_ASKING)
    join_halves (self, now_us);
  return TRUE;
}

gboolean
als_pcp_client_receive (AlsPcpClient *self, const AlsPcpResponse *response, int64_t now_us)
{
  if (self->state == ALS_PCP_OVER || !self->was_asked)
    return FALSE;
  if (response->result == ALS_PCP_UNSUPP_VERSION)
    {
      /* Told in the version that the router does speak: to a PCP request by one that knows NAT-PMP only,
       * and the other way round. A NAT-PMP one in its own version is not about our requests. */
      if (self->state != ALS_PCP_ASKING
          || (response->version == ALS_PCP_NAT_PMP && self->config.version == ALS_PCP_NAT_PMP))
        return FALSE;
      self->result = ALS_PCP_UNSUPP_VERSION;
      end (self);
      return TRUE;
    }
  if (response->version != self->config.version)
    return FALSE;
  if (response->opcode == ALS_PCP_ANNOUNCE)
    return receive_address (self, response, now_us);
  if (!response->has_map || !response->is_tcp != !self->config.is_tcp
      || response->internal_port != self->config.internal_port
      || (self->config.version == ALS_PCP_PCP
          && memcmp (response->nonce, self->config.nonce, sizeof response->nonce) != 0))
    return FALSE;
  self->was_answered = TRUE;
  if (self->is_leaving)
    {
      /* An answer to an earlier request is none to this one. */
      if (response->result != ALS_PCP_SUCCESS || response->lifetime_s == 0)
        end (self);
      return TRUE;
    }
  if (response->result != ALS_PCP_SUCCESS)
    refused (self, response->result, response->lifetime_s, now_us);
  else if (response->lifetime_s == 0 || response->external.port == 0)
    {
      /* A removal that nobody asked for. */
      self->state = ALS_PCP_ASKING;
      refused (self, ALS_PCP_UNKNOWN_ERROR, MIN_REFUSAL_S, now_us);
    }
  else
    {
      self->lease_s = MIN (response->lifetime_s, MAX_LEASE_S);
      if (self->config.version == ALS_PCP_PCP)
        granted (self, &response->external, now_us);
      else
        {
          self->external_port = response->external.port;
          join_halves (self, now_us);
        }
    }
  return TRUE;
}

void
als_pcp_client_state_lost (AlsPcpClient *self, int64_t now_us)
{
  if (self->state == ALS_PCP_OVER || self->is_leaving || !self->was_asked)
    return;
  begin_series (self, now_us);
}

void
als_pcp_client_leave (AlsPcpClient *self, int64_t now_us)
{
  if (self->is_leaving)
    return;
  self->is_leaving = TRUE;
  self->address_due = FALSE;
  if (!self->was_asked || self->state == ALS_PCP_OVER || self->state == ALS_PCP_REFUSED)
    end (self);
  else
    begin_series (self, now_us);
}

int64_t
als_pcp_client_get_deadline (const AlsPcpClient *self)
{
  if (self->address_due)
    return 0;
  if (self->state == ALS_PCP_MAPPED)
    return MIN (self->due_us, self->expires_us);
  return self->due_us;
}
