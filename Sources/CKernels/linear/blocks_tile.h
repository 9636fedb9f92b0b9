/// Products with weights in blocks, on any instruction set.
///
/// The includer defines, for vectors `lane8` of 8 f32 lanes: `lane8_zero`, `lane8_load`, `lane8_store`,
/// `lane8_add`, `lane8_totals(a, stride)`, the totals (as `ck_linear_blocks` says) of eight vectors `stride`
/// apart, and `add_chunk(f, m, group, part, lanes)`, which decodes a chunk of `group` rows of weights and
/// adds its products with each row of activations to their lanes, those of one row of weights behind those
/// of the one before. f, m and group, 1 or GROUP, are literals at every call.
///
/// 1. A tile is some rows of weights by all rows of activations. It walks along K chunk by chunk: the codes
///    of a chunk are decoded into registers once, then meet every row of activations, which come from the
///    cache. GROUP rows of weights share what does not depend on them.
/// 2. Activations that fit into the first-level cache are met by few rows of weights at a time: memory then
///    sees few ascending streams. Larger ones are read once per OUTPUTS rows of weights.
/// 3. Weights are asked for ahead, in the order of their addresses: the next tile's, or by AHEAD_BYTES, which
///    is several rows. Processors look ahead too, but not across pages, and not far enough for memory to be
///    busy all the time.
/// 4. Outputs are stored OUTPUTS at a time: rows of y a power of two apart share few lines of the cache.
/// 5. Rows of a list are met one by one; rows further down the list are asked for as wholes.
/// 6. A plane that lies apart is a second stream, asked for as far ahead.
#pragma once
#include <string.h>

#include "blocks.h"

#define INLINE static inline __attribute__((always_inline))

enum { OUTPUTS = 16, CACHED_BYTES = 20 << 10, AHEAD_BYTES = 3 << 10 };

TARGET_BEGIN

/// Bytes of a chunk of m blocks of one row of weights, but for a plane that lies apart.
INLINE size_t weight_bytes(const block_format f, size_t m) {
  return m * (code_bytes(f) + parameter_bytes(f));
}

/// The same chunk `count` rows of weights further.
INLINE chunk next_row(const block_format f, size_t count, chunk part) {
  part.planes += count * part.w_stride;
  part.parameters += count * part.w_stride;
  if (low_bytes(f)) part.low += count * part.low_stride;
  return part;
}

/// Adds a chunk of `tile_rows` rows of weights, and asks for as many bytes at `next`, unless it is NULL.
INLINE void add_chunks(
    const block_format f, const int m, chunk part, const uint8_t *next, size_t tile_rows, lane8 *lanes) {
  const size_t bytes = weight_bytes(f, (size_t)m), low = (size_t)m * low_bytes(f);
  size_t r = 0;
  if (part.rows > 1) {
    for (; r + GROUP <= tile_rows; r += GROUP) {
      for (size_t i = 0; i < GROUP * bytes; i += 64) __builtin_prefetch(next + r * bytes + i);
      for (size_t i = 0; i < GROUP * low; i += 64) __builtin_prefetch(part.low + AHEAD_BYTES + i);
      add_chunk(f, m, GROUP, part, lanes + r * part.rows);
      part = next_row(f, GROUP, part);
    }
  }
  for (; r < tile_rows; r++) {
    for (size_t i = 0; next && i < bytes; i += 64) __builtin_prefetch(next + r * bytes + i);
    for (size_t i = 0; next && i < low; i += 64) __builtin_prefetch(part.low + AHEAD_BYTES + i);
    add_chunk(f, m, 1, part, lanes + r * part.rows);
    part = next_row(f, 1, part);
  }
}

/// The chunk behind one of m blocks.
INLINE chunk next_chunk(const block_format f, size_t m, chunk part) {
  part.planes += m * code_bytes(f);
  part.parameters += m * parameter_bytes(f);
  if (low_bytes(f)) part.low += m * low_bytes(f);
  part.x += chunk_bytes(m);
  return part;
}

/// Adds the products of weight rows n..<n + tile_rows to their lanes, and asks for as many bytes at `next`,
/// unless it is NULL; a single row of activations has tiles of one row.
INLINE void add_tile(
    const block_format f, const ck_linear_blocks *c, size_t n, const uint8_t *next, size_t tile_rows,
    size_t rows, lane8 *lanes) {
  size_t blocks = row_blocks(c->inner);
  const size_t low_stride = blocks * low_bytes(f);
  const uint8_t *w = (const uint8_t *)c->w + n * c->w_stride;
  const uint8_t *low = low_bytes(f) ? (const uint8_t *)c->low + n * low_stride : NULL;
  chunk part = {w, w + blocks * code_bytes(f), c->x, low, low_stride, c->w_stride, c->x_stride, rows};
  for (; blocks >= 8; blocks -= 8) {
    add_chunks(f, 8, part, next, tile_rows, lanes);
    part = next_chunk(f, 8, part);
    if (next) next += tile_rows * weight_bytes(f, 8);
  }
  if (blocks & 4) {
    add_chunks(f, 4, part, next, tile_rows, lanes);
    part = next_chunk(f, 4, part);
    if (next) next += tile_rows * weight_bytes(f, 4);
  }
  if (blocks & 2) {
    add_chunks(f, 2, part, next, tile_rows, lanes);
    part = next_chunk(f, 2, part);
    if (next) next += tile_rows * weight_bytes(f, 2);
  }
  if (blocks & 1) add_chunks(f, 1, part, next, tile_rows, lanes);
}

/// Adds up the lanes of outputs n..<n + count, at most OUTPUTS, of each row.
INLINE void store_outputs(
    const ck_linear_blocks *c, size_t n, size_t count, size_t rows, const lane8 *lanes) {
  float bias[OUTPUTS] = {0};
  if (c->bias && c->list) {
    for (size_t r = 0; r < count; r++) bias[r] = c->bias[c->list[n + r]];
  } else if (c->bias) {
    memcpy(bias, c->bias + n, count * sizeof *bias);
  }
  for (size_t s = 0; s < rows; s++) {
    float rest[OUTPUTS], *place = c->y + s * c->y_stride + n, *y = count == OUTPUTS ? place : rest;
    for (size_t r = 0; r < OUTPUTS; r += CHUNK_LANES) {
      lane8_store(y + r, lane8_add(lane8_totals(lanes + r * rows + s, rows), lane8_load(bias + r)));
    }
    if (count < OUTPUTS) memcpy(place, rest, count * sizeof *rest);
  }
}

/// The product of one row of activations with weight row n.
INLINE lane8 row_product(const block_format f, const ck_linear_blocks *c, size_t n, const uint8_t *next) {
  lane8 own = lane8_zero();  // Stays in a register.
  add_tile(f, c, n, next, 1, 1, &own);
  return own;
}

/// Products of weight rows n..<n + count, at most OUTPUTS, in their lanes, which are zero.
INLINE void add_tiles(
    const block_format f, const ck_linear_blocks *c, size_t n, size_t count, size_t rows, lane8 *lanes) {
  const uint8_t *w = (const uint8_t *)c->w + n * c->w_stride;
  if (rows == 1) {
    for (size_t r = 0; r < count; r++) {
      lanes[r] = row_product(f, c, n + r, w + r * c->w_stride + AHEAD_BYTES);
    }
    return;
  }
  const size_t most = rows * c->x_stride <= CACHED_BYTES ? GROUP : OUTPUTS;
  for (size_t r = 0; r < count; r += most) {
    const size_t tile_rows = count - r < most ? count - r : most, tile = tile_rows * c->w_stride;
    const uint8_t *next = w + r * c->w_stride + (tile > AHEAD_BYTES ? tile : AHEAD_BYTES);
    add_tile(f, c, n + r, next, tile_rows, rows, lanes + r * rows);
  }
}

INLINE void linear_rows(const block_format f, const ck_linear_blocks *c, size_t rows) {
  lane8 lanes[OUTPUTS * CK_BLOCK_ROWS];
  const lane8 zero = lane8_zero();
  for (size_t n = c->n0; n < c->n1; n += OUTPUTS) {
    const size_t count = c->n1 - n < OUTPUTS ? c->n1 - n : OUTPUTS;
    for (size_t i = 0; i < OUTPUTS * rows; i++) lanes[i] = zero;
    add_tiles(f, c, n, count, rows, lanes);
    store_outputs(c, n, count, rows, lanes);
  }
}

INLINE void ask_for_row(const block_format f, const ck_linear_blocks *c, size_t row) {
  const size_t blocks = row_blocks(c->inner), low = blocks * low_bytes(f);
  ck_prefetch((const uint8_t *)c->w + row * c->w_stride, weight_bytes(f, blocks));
  if (low) ck_prefetch((const uint8_t *)c->low + row * low, low);
}

/// Products of one row of activations with the rows of a list.
INLINE void linear_listed(const block_format f, const ck_linear_blocks *c) {
  const size_t bytes = weight_bytes(f, row_blocks(c->inner)), step = AHEAD_BYTES / (bytes + 1) + 1;
  for (size_t n = c->n0; n < c->n0 + step && n < c->n1; n++) ask_for_row(f, c, (size_t)c->list[n]);
  lane8 lanes[OUTPUTS];
  for (size_t r = 0; r < OUTPUTS; r++) lanes[r] = lane8_zero();
  for (size_t n = c->n0; n < c->n1; n += OUTPUTS) {
    const size_t count = c->n1 - n < OUTPUTS ? c->n1 - n : OUTPUTS;
    for (size_t r = 0; r < count; r++) {
      if (n + r + step < c->n1) ask_for_row(f, c, (size_t)c->list[n + r + step]);
      lanes[r] = row_product(f, c, (size_t)c->list[n + r], NULL);
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
