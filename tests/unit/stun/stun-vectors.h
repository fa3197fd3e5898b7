/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The messages of RFC 5769 and RFC 8489, Appendix B (as corrected by erratum 6268). */

#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define VECTOR_PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"
#define VECTOR_USER "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9"
#define VECTOR_REALM "example.org"
#define VECTOR_LONG_TERM_PASSWORD "TheMatrIX"

/* RFC 5769, 2.1. */
#define VECTOR_REQUEST                                                                            \
  "000100582112a442b7e7a701bc34d686fa87dfae"                                                      \
  "802200105354554e207465737420636c69656e74"                                                      \
  "002400046e0001ff80290008932ff9b151263b36"                                                      \
  "000600096576746a3a68367659202020"                                                              \
  "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"                                              \
  "80280004e57a3bcf"
/* RFC 5769, 2.2. */
#define VECTOR_IPV4_RESPONSE                                                                      \
  "0101003c2112a442b7e7a701bc34d686fa87dfae"                                                      \
  "8022000b7465737420766563746f7220"                                                              \
  "002000080001a147e112a643"                                                                      \
  "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"                                              \
  "80280004c07d4c96"
/* RFC 5769, 2.3. */
#define VECTOR_IPV6_RESPONSE                                                                      \
  "010100482112a442b7e7a701bc34d686fa87dfae"                                                      \
  "8022000b7465737420766563746f7220"                                                              \
  "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"                                              \
  "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"                                              \
  "80280004c8fb0b4c"
/* RFC 5769, 2.4. */
#define VECTOR_LONG_TERM                                                                          \
  "000100602112a44278ad3433c6ad72c029da412e"                                                      \
  "00060012e3839ee38388e383aae38383e382afe382b90000"                                              \
  "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"                              \
  "0014000b6578616d706c652e6f726700"                                                              \
  "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
/* RFC 8489, B.1. */
#define VECTOR_USERHASH                                                                           \
  "000100902112a44278ad3433c6ad72c029da412e"                                                      \
  "001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"                      \
  "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39"                      \
  "4653547679363473410000000014000b6578616d706c652e6f726700"                                      \
  "001d000400020000"                                                                              \
  "001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65"

static inline GByteArray *
vector_from_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; hex[0] != '\0'; hex += 2)
    {
      guint8 byte = (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}
