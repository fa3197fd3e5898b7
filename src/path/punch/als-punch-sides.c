/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A NAT is judged by the ports that several servers saw; everything else is asked of what both sides
 * have told. What is dialled or probed when is the plan's and the search's. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-sides.h"

#include <stdlib.h>
#include <string.h>

/* Between the ports of a sequential NAT. */
#define MAX_STEP 16

/* --- NATs ------------------------------------------------------------------- */

static int
compare_ports (gconstpointer a, gconstpointer b)
{
  return (int) *(const uint16_t *) a - (int) *(const uint16_t *) b;
}

AlsPunchNat
als_punch_judge_nat (const AlsPunchEndpoint *observed, guint n, AlsPunchEndpoint *next)
{
  uint16_t ports[ALS_PUNCH_MAX_ENDPOINTS];
  const AlsStunAddress *first = NULL;
  guint n_ports = 0;
  int step = 0;

  memset (next, 0, sizeof *next);
  for (guint i = 0; i < n; i++)
    {
      const AlsStunAddress *address = &observed[i].address;

      if (observed[i].kind != ALS_PUNCH_PUBLIC || address->family != ALS_STUN_FAMILY_IPV4
          || n_ports == G_N_ELEMENTS (ports))
        continue;
      if (first == NULL)
        first = address;
      if (als_stun_address_same_ip (first, address))
        ports[n_ports++] = address->port;
    }
  for (guint i = 0; i < n && first != NULL; i++)
    if (observed[i].kind == ALS_PUNCH_HOST && als_stun_address_equal (&observed[i].address, first))
      return ALS_PUNCH_NAT_EASY;
  if (n_ports < 2)
    return ALS_PUNCH_NAT_UNKNOWN;
  qsort (ports, n_ports, sizeof ports[0], compare_ports);
  if (ports[0] == ports[n_ports - 1])
    return ALS_PUNCH_NAT_EASY;
  /* One port for each server, all asked at once: the smallest gap is the step, others used the rest. */
  for (guint i = 1; i < n_ports; i++)
    {
      int gap = ports[i] - ports[i - 1];

      if (gap > MAX_STEP)
        return ALS_PUNCH_NAT_RANDOM;
      if (gap > 0 && (step == 0 || gap < step))
        step = gap;
    }
  if (ports[n_ports - 1] + step > G_MAXUINT16)
    return ALS_PUNCH_NAT_RANDOM;
  next->kind = ALS_PUNCH_PREDICTED;
  next->address = *first;
  next->address.port = (uint16_t) (ports[n_ports - 1] + step);
  next->step = step;
  return ALS_PUNCH_NAT_SEQUENTIAL;
}

gboolean
als_punch_nat_is_hard (AlsPunchNat nat)
{
  return nat == ALS_PUNCH_NAT_SEQUENTIAL || nat == ALS_PUNCH_NAT_RANDOM;
}

/* --- talking ---------------------------------------------------------------- */

void
als_punch_sides_set_local (AlsPunchSides *self, const AlsPunchEndpoint *endpoints, guint n,
                           gboolean is_settled, AlsPunchEndpoint *next)
{
  self->n_local = MIN (n, ALS_PUNCH_MAX_ENDPOINTS);
  memcpy (self->local, endpoints, self->n_local * sizeof *endpoints);
  self->local_is_settled = is_settled;
  self->has_local = TRUE;
  self->local_nat = als_punch_judge_nat (self->local, self->n_local, next);
}

void
als_punch_sides_fill (const AlsPunchSides *self, const AlsPunchEndpoint *next,
                      AlsPunchMessage *message)
{
  static const AlsPunchEndpointKind order[] = { ALS_PUNCH_PUBLIC, ALS_PUNCH_MAPPING, ALS_PUNCH_HOST };

  message->type = ALS_PUNCH_ENDPOINTS;
  message->nat = self->local_nat;
  message->is_settled = self->local_is_settled;
  if (self->local_nat == ALS_PUNCH_NAT_SEQUENTIAL)
    als_punch_message_add (message, next);
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    for (guint j = 0; j < self->n_local; j++)
      if (self->local[j].kind == order[i])
        als_punch_message_add (message, &self->local[j]);
}

gboolean
als_punch_sides_has_told (const AlsPunchSides *self, const AlsPunchMessage *message)
{
  return self->has_told && message->nat == self->told.nat
         && message->is_settled == self->told.is_settled
         && als_punch_message_same_endpoints (message, &self->told);
}

gboolean
als_punch_sides_read (AlsPunchSides *self, guint most, const uint8_t *data, size_t len,
                      AlsPunchMessage *message)
{
  g_autoptr (GError) error = NULL;

  if (self->n_messages == most)
    return FALSE;
  if (++self->n_messages == most)
    g_message ("punch messages from now on ignored: too many");
  if (als_punch_message_decode (message, data, len, &error))
    return TRUE;
  g_message ("punch message ignored: %s", error->message);
  return FALSE;
}

/* --- questions -------------------------------------------------------------- */

gboolean
als_punch_sides_are_settled (const AlsPunchSides *self)
{
  return self->local_is_settled && self->remote.is_settled;
}

gboolean
als_punch_sides_share_public (const AlsPunchSides *self)
{
  for (guint i = 0; i < self->n_local; i++)
    for (guint j = 0; j < self->remote.n_endpoints; j++)
      if (self->local[i].kind == ALS_PUNCH_PUBLIC
          && self->remote.endpoints[j].kind == ALS_PUNCH_PUBLIC
          && als_stun_address_same_ip (&self->local[i].address, &self->remote.endpoints[j].address))
        return TRUE;
  return FALSE;
}

gboolean
als_punch_sides_are_unpredictable (const AlsPunchSides *self)
{
  return als_punch_nat_is_hard (self->local_nat) && als_punch_nat_is_hard (self->remote.nat)
         && (self->local_nat == ALS_PUNCH_NAT_RANDOM || self->remote.nat == ALS_PUNCH_NAT_RANDOM);
}

gboolean
als_punch_sides_is_own (const AlsPunchSides *self, const AlsStunAddress *address)
{
  for (guint i = 0; i < self->n_local; i++)
    if (als_stun_address_equal (&self->local[i].address, address))
      return TRUE;
  return FALSE;
}

gboolean
als_punch_sides_is_lan (const AlsPunchSides *self, const AlsStunAddress *local,
                        const AlsStunAddress *remote)
{
  gboolean is_host = FALSE;

  for (guint i = 0; i < self->remote.n_endpoints; i++)
    if (self->remote.endpoints[i].kind == ALS_PUNCH_HOST
        && als_stun_address_same_ip (&self->remote.endpoints[i].address, remote))
      is_host = TRUE;
  return als_punch_addresses_share_lan (local, remote, is_host);
}
