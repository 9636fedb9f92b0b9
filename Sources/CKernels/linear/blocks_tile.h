/// Products with weights in blocks, on any instruction set.
///
/// The includer defines, for vectors `lane8` of 8 f32 lanes: `lane8_zero`, `lane8_load`, `lane8_store`,
/// `lane8_add`, `lane8_totals(a, stride)`, the totals (as `ck_linear_blocks` says) of eight vectors `stride`
/// apart, and `add_chunk(f, m, group, part, lanes)`, which decodes a chunk of `group` rows of weights and
/// adds its products with each row of activations to their lanes. f, m and group, 1 or GROUP, are literals
/// at every call.
///
/// 1. A tile is some rows of weights by all rows of activations. It walks along K chunk by chunk: the codes
///    of a chunk are decoded into registers once, then meet every row of activations, which come from the
///    cache. GROUP rows of weights share what does not depend on them.
/// 2. Activations that fit into the first-level cache are met by few rows of weights at a time: memory then
///    sees few ascending streams. Larger ones are read once per OUTPUTS rows of weights.
/// 3. Weights are asked for ahead: the next tile's, or by AHEAD_BYTES, which is several rows. Processors look
///    ahead too, but not across pages, and not far enough for memory to be busy all the time.
/// 4. Outputs are stored OUTPUTS at a time: rows of y a power of two apart share few lines of the cache.
/// 5. Rows of a list are met one by one; rows further down the list are asked for as wholes.
#pragma once
#include <string.h>

#include "blocks.h"

#define INLINE static inline __attribute__((always_inline))

enum { OUTPUTS = 16, CACHED_BYTES = 20 << 10, AHEAD_BYTES = 3 << 10 };

TARGET_BEGIN

/// Adds a chunk of `group` rows of weights, and asks for the bytes that lie `ahead` of it, unless that is 0.
INLINE void add_group(
    const block_format f, const int m, const int group, const chunk part, size_t ahead,
    lane8 (*lanes)[CK_BLOCK_ROWS]) {
  const size_t bytes = ahead == 0 ? 0 : (size_t)m * (code_bytes(f) + parameter_bytes(f));
  for (size_t r = 0; r < (size_t)group; r++) {
    const uint8_t *next = part.planes + r * part.w_stride + ahead;
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(next + i);
  }
  add_chunk(f, m, group, part, lanes);
}

INLINE void add_chunks(
    const block_format f, const int m, chunk part, size_t ahead, size_t tile_rows,
    lane8 (*lanes)[CK_BLOCK_ROWS]) {
  size_t r = 0;
  if (part.rows > 1) {
    for (; r + GROUP <= tile_rows; r += GROUP) {
      add_group(f, m, GROUP, part, ahead, lanes + r);
      part.planes += GROUP * part.w_stride;
      part.parameters += GROUP * part.w_stride;
    }
  }
  for (; r < tile_rows; r++) {
    add_group(f, m, 1, part, ahead, lanes + r);
    part.planes += part.w_stride;
    part.parameters += part.w_stride;
  }
}

/// The chunk behind one of m blocks.
INLINE chunk next_chunk(const block_format f, size_t m, chunk part) {
  part.planes += m * code_bytes(f);
  part.parameters += m * parameter_bytes(f);
  part.x += chunk_bytes(m);
  return part;
}

/// Adds the products of weight rows n..<n + tile_rows to their lanes.
INLINE void add_tile(
    const block_format f, const ck_linear_blocks *c, size_t n, size_t ahead, size_t tile_rows, size_t rows,
    lane8 (*lanes)[CK_BLOCK_ROWS]) {
  size_t blocks = row_blocks(c->inner);
  const uint8_t *w = (const uint8_t *)c->w + n * c->w_stride;
  chunk part = {w, w + blocks * code_bytes(f), c->x, c->w_stride, c->x_stride, rows};
  for (; blocks >= 8; blocks -= 8) {
    add_chunks(f, 8, part, ahead, tile_rows, lanes);
    part = next_chunk(f, 8, part);
  }
  if (blocks & 4) {
    add_chunks(f, 4, part, ahead, tile_rows, lanes);
    part = next_chunk(f, 4, part);
  }
  if (blocks & 2) {
    add_chunks(f, 2, part, ahead, tile_rows, lanes);
    part = next_chunk(f, 2, part);
  }
  if (blocks & 1) add_chunks(f, 1, part, ahead, tile_rows, lanes);
}

/// Adds up the lanes of up to eight outputs n... of each row.
INLINE void store_outputs(
    const ck_linear_blocks *c, size_t n, size_t count, size_t rows, lane8 (*lanes)[CK_BLOCK_ROWS]) {
  float numbers[CHUNK_LANES] = {0};
  if (c->bias && c->list) {
    for (size_t r = 0; r < count; r++) numbers[r] = c->bias[c->list[n + r]];
  } else if (c->bias) {
    memcpy(numbers, c->bias + n, count * sizeof *numbers);
  }
  const lane8 bias = lane8_load(numbers);
  for (size_t s = 0; s < rows; s++) {
    const lane8 total = lane8_add(lane8_totals(lanes[0] + s, CK_BLOCK_ROWS), bias);
    float *y = c->y + s * c->y_stride + n;
    if (count == CHUNK_LANES) {
      lane8_store(y, total);
    } else {
      lane8_store(numbers, total);
      memcpy(y, numbers, count * sizeof *numbers);
    }
  }
}

/// Products of weight rows n..<n + count, at most OUTPUTS, in their lanes.
INLINE void add_tiles(
    const block_format f, const ck_linear_blocks *c, size_t n, size_t count, size_t rows,
    lane8 (*lanes)[CK_BLOCK_ROWS]) {
  const lane8 zero = lane8_zero();
  if (rows == 1) {
    for (size_t r = 0; r < count; r++) {
      lane8 own[1][CK_BLOCK_ROWS];  // Stays in a register.
      own[0][0] = zero;
      add_tile(f, c, n + r, AHEAD_BYTES, 1, 1, own);
      lanes[r][0] = own[0][0];
    }
    return;
  }
  const size_t most = rows * c->x_stride <= CACHED_BYTES ? GROUP : OUTPUTS;
  for (size_t r = 0; r < count; r++)
    for (size_t s = 0; s < rows; s++) lanes[r][s] = zero;
  for (size_t r = 0; r < count; r += most) {
    const size_t tile_rows = count - r < most ? count - r : most;
    add_tile(f, c, n + r, tile_rows * c->w_stride, tile_rows, rows, lanes + r);
  }
}

INLINE void linear_rows(const block_format f, const ck_linear_blocks *c, size_t rows) {
  lane8 lanes[OUTPUTS][CK_BLOCK_ROWS];
  const lane8 zero = lane8_zero();
  for (size_t n = c->n0; n < c->n1; n += OUTPUTS) {
    const size_t count = c->n1 - n < OUTPUTS ? c->n1 - n : OUTPUTS;
    for (size_t r = count; r < OUTPUTS; r++)
      for (size_t s = 0; s < rows; s++) lanes[r][s] = zero;
    add_tiles(f, c, n, count, rows, lanes);
    for (size_t r = 0; r < count; r += CHUNK_LANES) {
      store_outputs(c, n + r, count - r < CHUNK_LANES ? count - r : CHUNK_LANES, rows, lanes + r);
    }
  }
}

/// Products of one row of activations with the rows of a list.
INLINE void linear_listed(const block_format f, const ck_linear_blocks *c) {
  const uint8_t *w = c->w;
  const size_t bytes = row_blocks(c->inner) * (code_bytes(f) + parameter_bytes(f));
  const size_t step = AHEAD_BYTES / (bytes + 1) + 1;
  for (size_t n = c->n0; n < c->n0 + step && n < c->n1; n++) {
    ck_prefetch(w + (size_t)c->list[n] * c->w_stride, bytes);
  }
  lane8 lanes[CHUNK_LANES][CK_BLOCK_ROWS];
  const lane8 zero = lane8_zero();
  for (size_t r = 0; r < CHUNK_LANES; r++) lanes[r][0] = zero;
  for (size_t n = c->n0; n < c->n1; n += CHUNK_LANES) {
    const size_t count = c->n1 - n < CHUNK_LANES ? c->n1 - n : CHUNK_LANES;
    for (size_t r = 0; r < count; r++) {
      if (n + r + step < c->n1) ck_prefetch(w + (size_t)c->list[n + r + step] * c->w_stride, bytes);
      lane8 own[1][CK_BLOCK_ROWS];  // Stays in a register.
      own[0][0] = zero;
      add_tile(f, c, (size_t)c->list[n + r], 0, 1, 1, own);
      lanes[r][0] = own[0][0];
    }
    store_outputs(c, n, count, 1, lanes);
  }
}

INLINE void linear(const block_format f, const ck_linear_blocks *c) {
  if (c->list) {
    linear_listed(f, c);
  } else if (c->rows == 1) {
    linear_rows(f, c, 1);
  } else {
    linear_rows(f, c, c->rows);
  }
}

TARGET_END
