/// Rows of activations in blocks, on any instruction set.
///
/// The includer defines `quantize_block(x, count, q)`, which writes the 32 quants of a block of `count`
/// numbers and returns its scale, and passes itself on to `quantize_rows`.
#pragma once
#include <string.h>

#include "blocks.h"

/// Blocks with no number of this size are zero: 127 / max would be infinite.
static const float least_maximum = 0x1p-119f;

/// One chunk of m blocks; the quants of each block are moved to their places piece by piece.
static inline __attribute__((always_inline)) void quantize_chunk(
    float (*quantize_block)(const float *, size_t, int8_t *), size_t m, const float *x, size_t count,
    uint8_t *chunk) {
  float *scale = (float *)(chunk + scales_at(m));
  float *sum = (float *)(chunk + sums_at(m)), *second_sum = (float *)(chunk + second_sums_at(m));
  memset(sum, 0, 4 * CHUNK_LANES);
  memset(second_sum, 0, 4 * CHUNK_LANES);
  for (size_t b = 0; b < m; b++) {
    int8_t q[BLOCK];
    const size_t left = count - b * BLOCK;
    const float d = quantize_block(x + b * BLOCK, left < BLOCK ? left : BLOCK, q);
    for (size_t l = b; l < CHUNK_LANES; l += m) scale[l] = d;
    for (size_t piece = 0; piece < 8; piece++) {
      const size_t place = piece * m + b;
      memcpy(chunk + place * 4, q + piece * 4, 4);
      const int total = q[piece * 4] + q[piece * 4 + 1] + q[piece * 4 + 2] + q[piece * 4 + 3];
      sum[place % CHUNK_LANES] += (float)total;
      if (piece >= 4) second_sum[place % CHUNK_LANES] += (float)total;
    }
  }
}

static inline __attribute__((always_inline)) void quantize_rows(
    const ck_quantize_rows_f32 *c, float (*quantize_block)(const float *, size_t, int8_t *)) {
  for (size_t s = 0; s < c->rows; s++) {
    const float *x = c->x + s * c->x_stride;
    uint8_t *chunk = (uint8_t *)c->q + s * c->q_stride;
    const size_t blocks = row_blocks(c->inner);
    for (size_t first = 0, m; first < blocks; first += m) {
      m = chunk_blocks(blocks - first);
      quantize_chunk(quantize_block, m, x + first * BLOCK, c->inner - first * BLOCK, chunk);
      chunk += chunk_bytes(m);
    }
  }
}
