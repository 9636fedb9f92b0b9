/// Sums of listed rows of q8b32 with weights, on any instruction set.
///
/// The includer defines, for vectors `lane8` of 8 f32 lanes: `lane8_load`, `lane8_store`,
/// `lane8_fma(a, b, c)` = a b + c, `lane8_halves(p)`, 8 numbers of f16, `lane8_codes(p)`, 8 int8 as f32, and
/// `lane8_pair(a, b)`, four times a and four times b.
///
/// BAND rows of the list at a time go through all chunks: few streams for memory, and sums that lie in the
/// first-level cache are loaded and stored once for all of them. Sums are kept in the order of places (see
/// `linear/blocks.h`) until the end, in which a lane has one scale.
#pragma once
#include <string.h>

#include "../linear/blocks.h"
#include "../simd/half.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

enum { BAND = 4 };

TARGET_BEGIN

/// Scales of the lanes of a chunk of m blocks, times a weight.
INLINE void factors(const uint8_t *scales, size_t m, float weight, float *factor) {
  float scale[CHUNK_LANES];
  if (m == 8) {
    lane8_store(scale, lane8_halves(scales));
  } else {
    for (size_t l = 0; l < CHUNK_LANES; l++) scale[l] = half_at(scales + l % m * 2);
  }
  for (size_t l = 0; l < CHUNK_LANES; l++) factor[l] = scale[l] * weight;
}

/// Adds a chunk of `count` listed rows, 1 or BAND, to one row of sums.
INLINE void add_band(
    const uint8_t *const *codes, const uint8_t *const *scales, size_t m, const float *weights, float *sums,
    const int count) {
  float factor[BAND][CHUNK_LANES];
  UNROLL for (int r = 0; r < count; r++) factors(scales[r], m, weights[r], factor[r]);
  UNROLL for (int i = 0; i < 4; i++) {
    lane8 pair[BAND];
    UNROLL for (int r = 0; r < count; r++) pair[r] = lane8_pair(factor[r][2 * i], factor[r][2 * i + 1]);
    for (size_t v = 0; v < m; v++) {
      const size_t at = 32 * v + 8 * (size_t)i;
      lane8 sum = lane8_load(sums + at);
      UNROLL for (int r = 0; r < count; r++) sum = lane8_fma(pair[r], lane8_codes(codes[r] + at), sum);
      lane8_store(sums + at, sum);
    }
  }
}

/// Adds `count` listed rows from place i of the list, 1 or BAND, to all rows of sums.
INLINE void add_listed(const ck_weighted_rows *c, size_t i, const int count) {
  const size_t blocks = row_blocks(c->columns);
  const uint8_t *codes[BAND], *scales[BAND];
  UNROLL for (int r = 0; r < count; r++) {
    const uint8_t *row = (const uint8_t *)c->w + (size_t)c->list[i + (size_t)r] * c->w_stride;
    codes[r] = row + c->b0 * BLOCK;
    scales[r] = row + blocks * BLOCK + c->b0 * 2;
    const size_t next = i + (size_t)r + BAND;
    if (next < c->count) {
      const uint8_t *ahead = (const uint8_t *)c->w + (size_t)c->list[next] * c->w_stride;
      ck_prefetch(ahead + c->b0 * BLOCK, (c->b1 - c->b0) * BLOCK);
      ck_prefetch(ahead + blocks * BLOCK + c->b0 * 2, (c->b1 - c->b0) * 2);
    }
  }
  float *sums = c->sums;
  for (size_t first = c->b0, m; first < c->b1; first += m) {
    m = chunk_blocks(c->b1 - first);
    for (size_t s = 0; s < c->rows; s++) {
      add_band(codes, scales, m, c->p + s * c->p_stride + i, sums + s * c->sums_stride, count);
    }
    UNROLL for (int r = 0; r < count; r++) {
      codes[r] += m * BLOCK;
      scales[r] += m * 2;
    }
    sums += m * BLOCK;
  }
}

/// Writes a row of sums to its columns.
INLINE void store_columns(const ck_weighted_rows *c, const float *sums, float *y) {
  for (size_t first = c->b0, m; first < c->b1; first += m) {
    m = chunk_blocks(c->b1 - first);
    for (size_t b = 0; b < m; b++) {
      const size_t start = (first + b) * BLOCK;
      const size_t count = c->columns - start < BLOCK ? c->columns - start : BLOCK;
      for (size_t e = 0; e < count; e++) y[start + e] = sums[(e / 4 * m + b) * 4 + e % 4];
    }
    sums += m * BLOCK;
  }
}

INLINE void weighted_rows(const ck_weighted_rows *c) {
  for (size_t s = 0; s < c->rows; s++) {
    memset(c->sums + s * c->sums_stride, 0, (c->b1 - c->b0) * BLOCK * sizeof *c->sums);
  }
  size_t i = 0;
  for (; i + BAND <= c->count; i += BAND) add_listed(c, i, BAND);
  for (; i < c->count; i++) add_listed(c, i, 1);
  for (size_t s = 0; s < c->rows; s++) store_columns(c, c->sums + s * c->sums_stride, c->y + s * c->y_stride);
}

TARGET_END
