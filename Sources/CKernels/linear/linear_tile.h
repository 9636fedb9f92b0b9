/// The skinny product in tiles of TILE_N weight rows by up to TILE_S rows of x; include after simd/lanes.h.
/// CALL is the type of the operands.
///
/// 1. For every TILE_N rows of weights, all rows of x are served in passes of up to TILE_S, so that weights
///    come from memory once and from the first-level cache afterwards. A single row of x takes one row of
///    weights at a time: memory then sees one ascending stream, which it serves faster than TILE_N streams
///    side by side.
/// 2. A pass keeps TILE_N * TILE_S sums of 16 lanes in registers through the whole of K.
#pragma once

#include "CKernels.h"

/// WIDTH weights as f32, and the last 1...15 of a row followed by zeros.
#define LOAD(w) \
  _Generic((w), const float *: reg_load, const uint16_t *: reg_load_bf16, const ck_f16 *: reg_load_f16)(w)
#define LOAD_PART(w, count) \
  _Generic( \
      (w), const float *: load_part, const uint16_t *: load_filled, const ck_f16 *: load_part_f16)(w, count)

TARGET_BEGIN

/// Sixteen weights of a row that is filled up with zeros.
INLINE lanes load_filled(const uint16_t *w, size_t count) {
  (void)count;
  lanes y;
  UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_load_bf16(w + h * WIDTH);
  return y;
}

/// Sums of `nrows` weight rows from n by `srows` rows of x from s. The counts are literals at every call.
INLINE void linear_tile(const CALL *c, size_t n, size_t s, const int nrows, const int srows) {
  const __typeof__(*c->w) *w = c->w + n * c->w_stride;
  const float *x = c->x + s * c->x_stride;
  const size_t w_stride = c->w_stride, x_stride = c->x_stride;
  lanes sum[TILE_N][TILE_S];
  UNROLL for (int i = 0; i < nrows; i++)
    UNROLL for (int j = 0; j < srows; j++) sum[i][j] = lanes_set(0);

  size_t k = 0;
  for (; k + 16 <= c->inner; k += 16) {
    UNROLL for (int h = 0; h < REGISTERS; h++) {
      reg a[TILE_N];
      UNROLL for (int i = 0; i < nrows; i++) a[i] = LOAD(w + (size_t)i * w_stride + k + h * WIDTH);
      UNROLL for (int j = 0; j < srows; j++) {
        reg b = reg_load(x + (size_t)j * x_stride + k + h * WIDTH);
        UNROLL for (int i = 0; i < nrows; i++) sum[i][j].r[h] = reg_fma(a[i], b, sum[i][j].r[h]);
      }
    }
  }
  const size_t rest = c->inner - k;
  if (rest > 0) {
    UNROLL for (int i = 0; i < nrows; i++) {
      lanes a = LOAD_PART(w + (size_t)i * w_stride + k, rest);
      UNROLL for (int j = 0; j < srows; j++) {
        sum[i][j] = lanes_fma(a, load_part(x + (size_t)j * x_stride + k, rest), sum[i][j]);
      }
    }
  }
  UNROLL for (int j = 0; j < srows; j++) {
    float *y = c->y + (s + (size_t)j) * c->y_stride + n;
    UNROLL for (int i = 0; i < nrows; i++) {
      y[i] = lanes_total(sum[i][j]) + (c->bias ? c->bias[n + (size_t)i] : 0.0f);
    }
  }
}

INLINE void linear_pass(const CALL *c, size_t n, size_t s, const int nrows, size_t srows) {
  switch (srows) {
    case 1: linear_tile(c, n, s, nrows, 1); break;
#if TILE_S >= 2
    case 2: linear_tile(c, n, s, nrows, 2); break;
#endif
#if TILE_S >= 3
    case 3: linear_tile(c, n, s, nrows, 3); break;
#endif
#if TILE_S >= 4
    case 4: linear_tile(c, n, s, nrows, 4); break;
#endif
#if TILE_S >= 5
    case 5: linear_tile(c, n, s, nrows, 5); break;
#endif
#if TILE_S >= 6
    case 6: linear_tile(c, n, s, nrows, 6); break;
#endif
  }
}

INLINE void linear(const CALL *c) {
  const size_t parts = (c->rows + TILE_S - 1) / TILE_S;
  size_t n = c->n0;
  if (c->rows == 1) {
    for (; n < c->n1; n++) linear_tile(c, n, 0, 1, 1);
    return;
  }
  for (; n + TILE_N <= c->n1; n += TILE_N) {
    for (size_t part = 0, s = 0; part < parts; part++) {
      // Passes of nearly equal height.
      const size_t srows = (c->rows - s + parts - part - 1) / (parts - part);
      linear_pass(c, n, s, TILE_N, srows);
      s += srows;
    }
  }
  for (; n < c->n1; n++) {
    for (size_t s = 0; s < c->rows; s++) linear_tile(c, n, s, 1, 1);
  }
}

TARGET_END
