/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A number as black and white cells on a screen, drawn by scroll-text and read by screen-meter on
 * another: its bits, then their opposites, so that no plain ground is a number. It stands in two
 * places; a picture of two halves from different times has two numbers. */

#pragma once

#define STRIP_BITS 12
#define STRIP_CELLS (2 * STRIP_BITS)
#define STRIP_CELL 24
#define STRIP_WIDTH (STRIP_CELLS * STRIP_CELL)
#define STRIP_X 320
#define STRIP_TOP_Y 120
#define STRIP_BOTTOM_Y 912
