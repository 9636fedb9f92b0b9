/// Sums of rows of v with weights, in tiles of TILE_S results by TILE_G times 16 columns; include after
/// simd/lanes.h. CALL is the type of the operands.
///
/// A tile stays in registers while t runs through a block of rows of v, which lie in the first-level cache
/// for all tiles; between blocks it rests in y. Every sum still runs through t in order.
#pragma once

#include "CKernels.h"

/// Sixteen elements of v as f32, and the last 1...15 of a row followed by zeros.
#define LOAD(v) _Generic((v), const float *: load, const ck_f16 *: load_f16)(v)
#define LOAD_PART(v, count) _Generic((v), const float *: load_part, const ck_f16 *: load_part_f16)(v, count)

TARGET_BEGIN

enum { BLOCK_T = 8 };

/// Adds rows t0..<t1 to `srows` results from row s, `groups` times 16 columns from d. The counts are literals
/// at every call.
INLINE void weighted_sum_tile(
    const CALL *c, size_t t0, size_t t1, size_t s, size_t d, const int srows,
    const int groups) {
  const float *p = c->p + s * c->p_stride;
  const __typeof__(*c->v) *v = c->v + t0 * c->v_stride + d;
  float *y = c->y + s * c->y_stride + d;
  lanes sum[TILE_S][TILE_G];
  UNROLL for (int j = 0; j < srows; j++)
    UNROLL for (int g = 0; g < groups; g++) {
      sum[j][g] = t0 == 0 && !c->adds ? lanes_set(0) : load(y + (size_t)j * c->y_stride + 16 * g);
    }
  for (size_t t = t0; t < t1; t++, v += c->v_stride) {
    lanes weight[TILE_S];
    UNROLL for (int j = 0; j < srows; j++) weight[j] = lanes_set(p[(size_t)j * c->p_stride + t]);
    UNROLL for (int g = 0; g < groups; g++) {
      lanes a = LOAD(v + 16 * g);
      UNROLL for (int j = 0; j < srows; j++) sum[j][g] = lanes_fma(weight[j], a, sum[j][g]);
    }
  }
  UNROLL for (int j = 0; j < srows; j++)
    UNROLL for (int g = 0; g < groups; g++) store(y + (size_t)j * c->y_stride + 16 * g, sum[j][g]);
}

/// The last `rest` (1...15) columns from d of result row s.
INLINE void weighted_sum_rest(const CALL *c, size_t s, size_t d, size_t rest) {
  const float *p = c->p + s * c->p_stride;
  const __typeof__(*c->v) *v = c->v + d;
  float *y = c->y + s * c->y_stride + d;
  lanes sum = c->adds ? load_part(y, rest) : lanes_set(0);
  for (size_t t = 0; t < c->inner; t++, v += c->v_stride) {
    sum = lanes_fma(lanes_set(p[t]), LOAD_PART(v, rest), sum);
  }
  store_part(y, sum, rest);
}

/// Whole groups of columns over rows t0..<t1; returns the first column left.
INLINE size_t weighted_sum_block(const CALL *c, size_t t0, size_t t1) {
  size_t d = 0;
  for (; d + 16 * TILE_G <= c->columns; d += 16 * TILE_G) {
    size_t s = 0;
    for (; s + TILE_S <= c->rows; s += TILE_S) weighted_sum_tile(c, t0, t1, s, d, TILE_S, TILE_G);
    for (; s < c->rows; s++) weighted_sum_tile(c, t0, t1, s, d, 1, TILE_G);
  }
  for (; d + 16 <= c->columns; d += 16) {
    for (size_t s = 0; s < c->rows; s++) weighted_sum_tile(c, t0, t1, s, d, 1, 1);
  }
  return d;
}

INLINE void weighted_sum(const CALL *c) {
  size_t t = 0, d;
  do {
    const size_t end = t + BLOCK_T < c->inner ? t + BLOCK_T : c->inner;
    d = weighted_sum_block(c, t, end);
    t = end;
  } while (t < c->inner);
  if (d < c->columns) {
    for (size_t s = 0; s < c->rows; s++) weighted_sum_rest(c, s, d, c->columns - d);
  }
}

TARGET_END
