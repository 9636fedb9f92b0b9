/// Products with weights in blocks, on any instruction set.
///
/// The includer defines, for vectors `lane8` of 8 f32 lanes: `lane8_zero`, `lane8_total` (as
/// `ck_linear_blocks` says), `lane8_totals` of four, and `add_chunk(f, m, part, lanes)`, which decodes the
/// weights of a chunk and adds their products with each row of activations to that row's lanes. f and m are
/// literals at every call.
///
/// 1. A tile is some rows of weights by all rows of activations. It walks along K chunk by chunk: the codes
///    of a chunk are decoded into registers once, then meet every row of activations, which come from the
///    cache.
/// 2. Activations that fit into the first-level cache are met by one row of weights at a time: memory then
///    sees one ascending stream. Larger ones are read once per TILE_ROWS rows of weights.
/// 3. Weights are asked for ahead: the next tile's, or by AHEAD_BYTES, which is several rows. Processors look
///    ahead too, but not across pages, and not far enough for memory to be busy all the time.
/// 4. Outputs are stored OUTPUTS at a time: rows of y a power of two apart share few lines of the cache.
#pragma once
#include "blocks.h"

#define INLINE static inline __attribute__((always_inline))

enum { TILE_ROWS = 4, OUTPUTS = 16, CACHED_BYTES = 20 << 10, AHEAD_BYTES = 3 << 10 };

TARGET_BEGIN

INLINE void add_chunks(
    const block_format f, const int m, chunk part, size_t w_stride, size_t tile_rows,
    lane8 (*lanes)[CK_BLOCK_ROWS]) {
  const size_t ahead = tile_rows == 1 ? AHEAD_BYTES : tile_rows * w_stride;
  const size_t bytes = (size_t)m * (code_bytes(f) + parameter_bytes(f));
  for (size_t r = 0; r < tile_rows; r++) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(part.planes + ahead + i);
    add_chunk(f, m, part, lanes[r]);
    part.planes += w_stride;
    part.parameters += w_stride;
  }
}

/// The chunk behind one of m blocks.
INLINE chunk next_chunk(const block_format f, size_t m, chunk part) {
  part.planes += m * code_bytes(f);
  part.parameters += m * parameter_bytes(f);
  part.x += chunk_bytes(m);
  return part;
}

/// Adds up the lanes of a tile.
INLINE void add_lanes(
    size_t tile_rows, size_t rows, lane8 (*lanes)[CK_BLOCK_ROWS], float (*total)[OUTPUTS]) {
  for (size_t r = 0; r < tile_rows; r++) {
    size_t s = 0;
    for (; s + 4 <= rows; s += 4) {
      float four[4];
      lane8_totals(lanes[r] + s, four);
      for (size_t i = 0; i < 4; i++) total[s + i][r] = four[i];
    }
    for (; s < rows; s++) total[s][r] = lane8_total(lanes[r][s]);
  }
}

/// Products of weight rows n..<n + tile_rows.
INLINE void linear_tile(
    const block_format f, const ck_linear_blocks *c, size_t n, size_t tile_rows, size_t rows,
    float (*total)[OUTPUTS]) {
  lane8 lanes[TILE_ROWS][CK_BLOCK_ROWS];
  const lane8 zero = lane8_zero();
  for (size_t r = 0; r < tile_rows; r++)
    for (size_t s = 0; s < rows; s++) lanes[r][s] = zero;

  size_t blocks = row_blocks(c->inner);
  const uint8_t *w = (const uint8_t *)c->w + n * c->w_stride;
  chunk part = {w, w + blocks * code_bytes(f), c->x, c->x_stride, rows};
  for (; blocks >= 8; blocks -= 8) {
    add_chunks(f, 8, part, c->w_stride, tile_rows, lanes);
    part = next_chunk(f, 8, part);
  }
  if (blocks & 4) {
    add_chunks(f, 4, part, c->w_stride, tile_rows, lanes);
    part = next_chunk(f, 4, part);
  }
  if (blocks & 2) {
    add_chunks(f, 2, part, c->w_stride, tile_rows, lanes);
    part = next_chunk(f, 2, part);
  }
  if (blocks & 1) add_chunks(f, 1, part, c->w_stride, tile_rows, lanes);
  add_lanes(tile_rows, rows, lanes, total);
}

INLINE void linear(const block_format f, const ck_linear_blocks *c) {
  const size_t tile_rows = c->rows == 1 || c->rows * c->x_stride <= CACHED_BYTES ? 1 : TILE_ROWS;
  for (size_t n = c->n0; n < c->n1; n += OUTPUTS) {
    const size_t count = c->n1 - n < OUTPUTS ? c->n1 - n : OUTPUTS;
    float total[CK_BLOCK_ROWS][OUTPUTS];
    for (size_t r = 0; r < count; r += tile_rows) {
      float(*place)[OUTPUTS] = (float(*)[OUTPUTS])(total[0] + r);
      if (c->rows == 1) {
        linear_tile(f, c, n + r, 1, 1, place);
      } else {
        linear_tile(f, c, n + r, count - r < tile_rows ? count - r : tile_rows, c->rows, place);
      }
    }
    for (size_t s = 0; s < c->rows; s++) {
      float *y = c->y + s * c->y_stride + n;
      // One by one: vectors would have to wait until the single stores above are in the cache.
      _Pragma("clang loop vectorize(disable)")
      for (size_t r = 0; r < count; r++) y[r] = total[s][r] + (c->bias ? c->bias[n + r] : 0.0f);
    }
  }
}

TARGET_END
