/// Rows of activations in blocks, on any instruction set.
///
/// The includer defines `quantize_block(x, count, q)`, which writes the 32 quants of a block of `count`
/// numbers and returns its scale, and `sum_lanes(m, q, half)`, which stores for the two halves of a chunk of
/// m blocks the sums of its quants in 16 lanes (lane l of each vector of 32 bytes: bytes 2 l and 2 l + 1). It
/// passes both on to `quantize_rows`.
#pragma once
#include <string.h>

#include "blocks.h"

/// Blocks with no number of this size are zero: 127 / max would be infinite.
static const float least_maximum = 0x1p-119f;

typedef float quantize_block_function(const float *x, size_t count, int8_t *q);
typedef void sum_lanes_function(size_t m, const int8_t *q, int16_t (*half)[2 * CHUNK_LANES]);

/// One chunk of m blocks; the quants of each block are moved to their places piece by piece.
static inline __attribute__((always_inline)) void quantize_chunk(
    quantize_block_function *quantize_block, sum_lanes_function *sum_lanes, size_t m, const float *x,
    size_t count, uint8_t *chunk) {
  float *scale = (float *)(chunk + scales_at(m)), *sum = (float *)(chunk + sums_at(m));
  int16_t *offset = (int16_t *)(chunk + offsets_at(m));
  int16_t *half_offset = (int16_t *)(chunk + half_offsets_at(m));
  for (size_t b = 0; b < m; b++) {
    int8_t q[BLOCK];
    const size_t left = count - b * BLOCK;
    const float d = quantize_block(x + b * BLOCK, left < BLOCK ? left : BLOCK, q);
    for (size_t l = b; l < CHUNK_LANES; l += m) scale[l] = d;
    for (size_t piece = 0; piece < 8; piece++) memcpy(chunk + (piece * m + b) * 4, q + piece * 4, 4);
  }
  int16_t half[2][2 * CHUNK_LANES];
  sum_lanes(m, (const int8_t *)chunk, half);
  for (size_t l = 0; l < 2 * CHUNK_LANES; l++) {
    offset[l] = (int16_t)(-16 * (half[0][l] + half[1][l]));
    half_offset[l] = (int16_t)(-32 * half[0][l]);
    half_offset[l + 2 * CHUNK_LANES] = (int16_t)(-32 * half[1][l]);
  }
  for (size_t l = 0; l < CHUNK_LANES; l++) {
    sum[l] = (float)(half[0][2 * l] + half[0][2 * l + 1] + half[1][2 * l] + half[1][2 * l + 1]);
  }
}

static inline __attribute__((always_inline)) void quantize_rows(
    const ck_quantize_rows_f32 *c, quantize_block_function *quantize_block, sum_lanes_function *sum_lanes) {
  for (size_t s = 0; s < c->rows; s++) {
    const float *x = c->x + s * c->x_stride;
    uint8_t *chunk = (uint8_t *)c->q + s * c->q_stride;
    const size_t blocks = row_blocks(c->inner);
    for (size_t first = 0, m; first < blocks; first += m) {
      m = chunk_blocks(blocks - first);
      const size_t left = c->inner - first * BLOCK;
      quantize_chunk(quantize_block, sum_lanes, m, x + first * BLOCK, left, chunk);
      chunk += chunk_bytes(m);
    }
  }
}
