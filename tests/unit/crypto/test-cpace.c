/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The test vectors of draft-irtf-cfrg-cpace-21, appendix B.3 (ristretto255, SHA-512). */
#include "crypto/als-cpace.h"
#include "crypto/als-crypto.h"

#include <sodium.h>
#include <string.h>

#define PRS "Password"
#define CI "0b415f696e69746961746f720b425f726573706f6e646572"
#define SID "7e4b4791d6a8ef019b936c79fb7f2c57"
#define GENERATOR "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56"
#define SCALAR_A "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"
#define SCALAR_B "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d"
#define SHARE_A "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157"
#define SHARE_B "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258"
#define K "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f"
#define ISK_IR "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd" \
               "2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447"
#define ISK_SYMMETRIC "544199d71f62f8d9a1fee55727e24fe4a45844593c2b6013c4fa3969d0e5debb" \
                      "2244675c0b43397cbb68d342b01fc0f98fc961469a25134de9f0f813c1a57476"
/* B.3.10 and B.3.11 */
#define VERIFY_SCALAR "7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05"
#define VERIFY_POINT "2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c"
#define VERIFY_RESULT "7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e"
#define BAD_POINT "2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c"
#define IDENTITY "0000000000000000000000000000000000000000000000000000000000000000"

static uint8_t *
hex (const char *text, uint8_t *out)
{
  size_t len;

  g_assert_cmpint (sodium_hex2bin (out, strlen (text) / 2, text, strlen (text), NULL, &len, NULL),
                   ==, 0);
  g_assert_cmpuint (len, ==, strlen (text) / 2);
  return out;
}

static void
assert_hex (const uint8_t *data, size_t len, const char *expected)
{
  g_autofree char *text = g_malloc (2 * len + 1);

  g_assert_cmpstr (sodium_bin2hex (text, 2 * len + 1, data, len), ==, expected);
}

static void
test_generator (void)
{
  uint8_t ci[24], sid[16], generator[32];

  als_cpace_generator (PRS, hex (CI, ci), sizeof ci, hex (SID, sid), sizeof sid, generator);
  assert_hex (generator, sizeof generator, GENERATOR);
}

static void
test_shares_and_k (void)
{
  uint8_t scalar[32], point[32], out[32];

  g_assert_true (als_cpace_multiply (hex (SCALAR_A, scalar), hex (GENERATOR, point), out));
  assert_hex (out, 32, SHARE_A);
  g_assert_true (als_cpace_multiply (hex (SCALAR_B, scalar), hex (GENERATOR, point), out));
  assert_hex (out, 32, SHARE_B);
  g_assert_true (als_cpace_multiply (hex (SCALAR_A, scalar), hex (SHARE_B, point), out));
  assert_hex (out, 32, K);
  g_assert_true (als_cpace_multiply (hex (SCALAR_B, scalar), hex (SHARE_A, point), out));
  assert_hex (out, 32, K);
}

static void
test_isk (void)
{
  uint8_t sid[16], k[32], share_a[32], share_b[32], isk[64];
  AlsCpaceParty a = { hex (SHARE_A, share_a), "ADa" };
  AlsCpaceParty b = { hex (SHARE_B, share_b), "ADb" };

  hex (SID, sid);
  hex (K, k);
  als_cpace_isk (sid, sizeof sid, k, &a, &b, isk);
  assert_hex (isk, sizeof isk, ISK_IR);
  als_cpace_isk_symmetric (sid, sizeof sid, k, &a, &b, isk);
  assert_hex (isk, sizeof isk, ISK_SYMMETRIC);
  als_cpace_isk_symmetric (sid, sizeof sid, k, &b, &a, isk);
  assert_hex (isk, sizeof isk, ISK_SYMMETRIC);
}

static void
test_multiply_verifies (void)
{
  uint8_t scalar[32], point[32], out[32];

  hex (VERIFY_SCALAR, scalar);
  g_assert_true (als_cpace_multiply (scalar, hex (VERIFY_POINT, point), out));
  assert_hex (out, 32, VERIFY_RESULT);
  g_assert_false (als_cpace_multiply (scalar, hex (BAD_POINT, point), out));
  assert_hex (out, 32, IDENTITY);
  g_assert_false (als_cpace_multiply (scalar, hex (IDENTITY, point), out));
  assert_hex (out, 32, IDENTITY);
}

/* RFC 9496, A.2: encodings that must not decode, non-canonical ones and negative ones among them. */
static void
test_bad_encodings (void)
{
  static const char *const bad[] = {
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
  };
  uint8_t scalar[32], point[32], out[32];

  hex (VERIFY_SCALAR, scalar);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (als_cpace_multiply (scalar, hex (bad[i], point), out));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/cpace/generator-is-the-draft-s", test_generator);
  g_test_add_func ("/crypto/cpace/shares-and-secret-point-are-the-draft-s", test_shares_and_k);
  g_test_add_func ("/crypto/cpace/session-keys-are-the-draft-s", test_isk);
  g_test_add_func ("/crypto/cpace/invalid-points-give-the-identity", test_multiply_verifies);
  g_test_add_func ("/crypto/cpace/non-canonical-encodings-are-refused", test_bad_encodings);
  return g_test_run ();
}
