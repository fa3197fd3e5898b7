/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Removed with the first real source of this folder. */
typedef int als_session_placeholder;
