/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Books, hashes and rate: what of a transfer needs neither disk nor channel. */
#include "transfer/als-block-ledger.h"
#include "transfer/als-transfer-rate.h"

#include <string.h>

#define SIZE(n) ((uint64_t) (n) * ALS_FILE_BLOCK_BYTES)

static void
make_hash (uint32_t index, uint8_t hash[ALS_FILE_HASH_BYTES])
{
  als_file_hash_block (&index, sizeof index, hash);
}

static void
make_root (uint64_t size, uint8_t root[ALS_FILE_HASH_BYTES])
{
  AlsFileRoot state;

  als_file_root_init (&state, size);
  for (uint32_t i = 0; i < als_file_n_blocks (size); i++)
    {
      uint8_t hash[ALS_FILE_HASH_BYTES];

      make_hash (i, hash);
      als_file_root_add (&state, hash);
    }
  als_file_root_final (&state, root);
}

static AlsBlockVerdict
checked (AlsBlockLedger *ledger, uint32_t index, gboolean good)
{
  uint8_t hash[ALS_FILE_HASH_BYTES];

  make_hash (index, hash);
  return als_block_ledger_checked (ledger, index, good, hash);
}

static void
test_hashes (void)
{
  /* Python: hashlib.blake2b (data, digest_size=32, person=b"alongside-block") and
   * b"alongside-root" over the size in 8 bytes and that hash. */
  static const char *const expected[] = {
    "b748676172a4f511ac4da786f78c6b885833ea9045f559cb822ca289e17c0363",
    "6bcf0cf7fd1e8df0a19c309dde5d9569183eb927bc7cad73c3f277e023b61611",
  };
  uint8_t hash[ALS_FILE_HASH_BYTES], root[ALS_FILE_HASH_BYTES];
  char hex[2 * ALS_FILE_HASH_BYTES + 1];
  AlsFileRoot state;

  als_file_hash_block ("hello", 5, hash);
  sodium_bin2hex (hex, sizeof hex, hash, sizeof hash);
  g_assert_cmpstr (hex, ==, expected[0]);
  als_file_root_init (&state, 5);
  als_file_root_add (&state, hash);
  als_file_root_final (&state, root);
  sodium_bin2hex (hex, sizeof hex, root, sizeof root);
  g_assert_cmpstr (hex, ==, expected[1]);
}

static void
test_sizes (void)
{
  g_assert_cmpuint (als_file_n_blocks (0), ==, 0);
  g_assert_cmpuint (als_file_n_blocks (1), ==, 1);
  g_assert_cmpuint (als_file_n_blocks (SIZE (1)), ==, 1);
  g_assert_cmpuint (als_file_n_blocks (SIZE (1) + 1), ==, 2);
  g_assert_cmpuint (als_file_n_blocks (ALS_FILE_MAX_SIZE), ==, 1u << 23);
  g_assert_cmpuint (als_file_block_bytes (SIZE (1) + 1, 0), ==, ALS_FILE_BLOCK_BYTES);
  g_assert_cmpuint (als_file_block_bytes (SIZE (1) + 1, 1), ==, 1);
  g_assert_cmpuint (als_file_block_bytes (SIZE (1) + 1, 2), ==, 0);
}

static void
test_in_order (void)
{
  AlsBlockLedger ledger;
  uint8_t root[ALS_FILE_HASH_BYTES];

  als_block_ledger_init (&ledger, SIZE (3) - 5);
  make_root (SIZE (3) - 5, root);
  for (uint32_t i = 0; i < 3; i++)
    {
      g_assert_false (als_block_ledger_end (&ledger, root));
      g_assert_true (als_block_ledger_arrived (&ledger, i, ALS_FILE_BLOCK_BYTES - (i == 2 ? 5 : 0)));
      g_assert_cmpint (checked (&ledger, i, TRUE), ==, ALS_BLOCK_STORED);
    }
  g_assert_false (als_block_ledger_is_whole (&ledger));
  g_assert_true (als_block_ledger_end (&ledger, root));
  g_assert_false (als_block_ledger_end (&ledger, root));
  g_assert_true (als_block_ledger_is_whole (&ledger));
  g_assert_true (als_block_ledger_is_right (&ledger));
  als_block_ledger_clear (&ledger);
}

static void
test_repair (void)
{
  AlsBlockLedger ledger;
  uint8_t root[ALS_FILE_HASH_BYTES];

  als_block_ledger_init (&ledger, SIZE (4));
  make_root (SIZE (4), root);
  for (uint32_t i = 0; i < 4; i++)
    {
      g_assert_true (als_block_ledger_arrived (&ledger, i, ALS_FILE_BLOCK_BYTES));
      g_assert_cmpint (checked (&ledger, i, i != 1), ==,
                       i != 1 ? ALS_BLOCK_STORED : ALS_BLOCK_REPAIR);
    }
  g_assert_true (als_block_ledger_end (&ledger, root));
  g_assert_false (als_block_ledger_is_whole (&ledger));
  g_assert_true (als_block_ledger_arrived (&ledger, 1, ALS_FILE_BLOCK_BYTES));
  g_assert_false (als_block_ledger_is_whole (&ledger));
  g_assert_cmpint (checked (&ledger, 1, TRUE), ==, ALS_BLOCK_STORED);
  g_assert_true (als_block_ledger_is_whole (&ledger));
  g_assert_true (als_block_ledger_is_right (&ledger));
  als_block_ledger_clear (&ledger);
}

static void
test_give_up (void)
{
  AlsBlockLedger ledger;

  als_block_ledger_init (&ledger, SIZE (2));
  for (guint i = 0; i < ALS_BLOCK_LEDGER_MAX_REPAIRS; i++)
    {
      g_assert_true (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES));
      g_assert_cmpint (checked (&ledger, 0, FALSE), ==, ALS_BLOCK_REPAIR);
    }
  g_assert_true (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES));
  g_assert_cmpint (checked (&ledger, 0, FALSE), ==, ALS_BLOCK_GIVE_UP);
  als_block_ledger_clear (&ledger);
}

static void
test_out_of_turn (void)
{
  AlsBlockLedger ledger;

  als_block_ledger_init (&ledger, SIZE (3));
  g_assert_false (als_block_ledger_arrived (&ledger, 1, ALS_FILE_BLOCK_BYTES));
  g_assert_false (als_block_ledger_arrived (&ledger, 3, ALS_FILE_BLOCK_BYTES));
  g_assert_false (als_block_ledger_arrived (&ledger, UINT32_MAX, ALS_FILE_BLOCK_BYTES));
  g_assert_false (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES - 1));
  g_assert_true (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES));
  g_assert_false (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES));
  checked (&ledger, 0, TRUE);
  g_assert_false (als_block_ledger_arrived (&ledger, 0, ALS_FILE_BLOCK_BYTES));
  als_block_ledger_clear (&ledger);
}

static void
test_bounded (void)
{
  AlsBlockLedger ledger;
  uint32_t i;

  als_block_ledger_init (&ledger, ALS_FILE_MAX_SIZE);
  for (i = 0; i < 100000; i++)
    {
      g_assert_true (als_block_ledger_arrived (&ledger, i, ALS_FILE_BLOCK_BYTES));
      checked (&ledger, i, TRUE);
      g_assert_cmpuint (ledger.waiting->len, ==, 0);
    }
  for (guint n = 0; n < ALS_BLOCK_LEDGER_MAX_WAITING; n++, i++)
    {
      g_assert_true (als_block_ledger_arrived (&ledger, i, ALS_FILE_BLOCK_BYTES));
      checked (&ledger, i, n > 0);
    }
  g_assert_false (als_block_ledger_arrived (&ledger, i, ALS_FILE_BLOCK_BYTES));
  als_block_ledger_clear (&ledger);
}

static void
test_wrong_root (void)
{
  AlsBlockLedger ledger;
  uint8_t root[ALS_FILE_HASH_BYTES] = { 0 };

  als_block_ledger_init (&ledger, 0);
  g_assert_true (als_block_ledger_end (&ledger, root));
  g_assert_true (als_block_ledger_is_whole (&ledger));
  g_assert_false (als_block_ledger_is_right (&ledger));
  als_block_ledger_clear (&ledger);
}

static void
test_rate_settles (void)
{
  AlsTransferRate rate;
  int64_t now_us = 1000;
  uint64_t bytes = 0;

  als_transfer_rate_init (&rate, now_us);
  g_assert_cmpint (als_transfer_rate_get_left (&rate, 1000, now_us), ==, -1);
  for (guint i = 0; i < 100; i++)
    {
      now_us += G_USEC_PER_SEC / 10;
      bytes += 1000;
      als_transfer_rate_update (&rate, bytes, now_us);
      g_assert_cmpuint (als_transfer_rate_get (&rate, now_us), >=, 9990);
      g_assert_cmpuint (als_transfer_rate_get (&rate, now_us), <=, 10010);
    }
  g_assert_cmpint (als_transfer_rate_get_left (&rate, 100000, now_us), >=, 9);
  g_assert_cmpint (als_transfer_rate_get_left (&rate, 100000, now_us), <=, 11);
  g_assert_cmpint (als_transfer_rate_get_left (&rate, 0, now_us), ==, 0);
  /* Ten times faster: followed within seconds, not at once. */
  for (guint i = 0; i < 100; i++)
    {
      now_us += G_USEC_PER_SEC / 10;
      bytes += 10000;
      als_transfer_rate_update (&rate, bytes, now_us);
      if (i == 1)
        g_assert_cmpuint (als_transfer_rate_get (&rate, now_us), <, 40000);
    }
  g_assert_cmpuint (als_transfer_rate_get (&rate, now_us), >, 90000);
}

static void
test_rate_falls (void)
{
  AlsTransferRate rate;

  als_transfer_rate_init (&rate, 0);
  als_transfer_rate_update (&rate, 1000000, G_USEC_PER_SEC);
  g_assert_cmpuint (als_transfer_rate_get (&rate, G_USEC_PER_SEC), ==, 1000000);
  g_assert_cmpuint (als_transfer_rate_get (&rate, 10 * G_USEC_PER_SEC), <, 200000);
  g_assert_cmpint (als_transfer_rate_get_left (&rate, 1000000, 1000 * G_USEC_PER_SEC), ==, -1);
  g_assert_cmpint (als_transfer_rate_get_left (&rate, UINT64_MAX, G_USEC_PER_SEC), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/hash/agrees-with-another-implementation", test_hashes);
  g_test_add_func ("/transfer/hash/last-block-is-shorter", test_sizes);
  g_test_add_func ("/transfer/ledger/blocks-in-order-make-the-root", test_in_order);
  g_test_add_func ("/transfer/ledger/a-repaired-block-takes-its-place", test_repair);
  g_test_add_func ("/transfer/ledger/gives-up-after-a-few-repairs", test_give_up);
  g_test_add_func ("/transfer/ledger/takes-no-block-out-of-turn", test_out_of_turn);
  g_test_add_func ("/transfer/ledger/does-not-grow-with-the-file", test_bounded);
  g_test_add_func ("/transfer/ledger/a-wrong-root-is-seen", test_wrong_root);
  g_test_add_func ("/transfer/rate/is-smooth-and-follows", test_rate_settles);
  g_test_add_func ("/transfer/rate/falls-while-nothing-comes", test_rate_falls);
  return g_test_run ();
}
