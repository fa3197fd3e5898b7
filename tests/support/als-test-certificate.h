/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A certificate for 127.0.0.1 that nobody has signed, and its key: for tests
 * in which it is refused. */

#pragma once

#define ALS_TEST_CERTIFICATE \
  "-----BEGIN CERTIFICATE-----\n" \
  "MIIBkTCCATagAwIBAgIUcBW8ygJo5abDl/FCt+p4RR9ts3gwCgYIKoZIzj0EAwIw\n" \
  "FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMTA4MzkxMloYDzIxMjYxMDI4\n" \
  "MDgzOTEyWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO\n" \
  "PQMBBwNCAARU0HIFA2vcqB+w3IfTuhOqBiPkCxrO/jX8aLO0qvOMzUxmuEM7kJyZ\n" \
  "fm0t1rV4xVXdP81tI8Pq3Qhwmd181NrZo2QwYjAdBgNVHQ4EFgQUmwswtNYggT6X\n" \
  "XThxWcLxiAWjSBEwHwYDVR0jBBgwFoAUmwswtNYggT6XXThxWcLxiAWjSBEwDwYD\n" \
  "VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC\n" \
  "IQD4iTXDy7y+b4/1oAor4fmE1L6wEcJkol4mlpMXYkXNNgIhANPdJZ7rzm3IcFu0\n" \
  "S2DjUMgRtKcJj/ySCSuYlTAYSadQ\n" \
  "-----END CERTIFICATE-----\n" \
  "-----BEGIN PRIVATE KEY-----\n" \
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdwoz4mAOP9AbhbU4\n" \
  "kPCDMsyKcgYK8GDv+YEKQTY3BDuhRANCAARU0HIFA2vcqB+w3IfTuhOqBiPkCxrO\n" \
  "/jX8aLO0qvOMzUxmuEM7kJyZfm0t1rV4xVXdP81tI8Pq3Qhwmd181NrZ\n" \
  "-----END PRIVATE KEY-----\n"
