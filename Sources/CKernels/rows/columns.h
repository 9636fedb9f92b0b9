/// Columns of a matrix of weights [D, F] in a format of blocks, one behind the other: those that are picked are read
/// as wholes.
///
/// The codes and parameters are those of the rows (`linear/blocks.h`), so nothing is rounded anew. A panel holds the
/// 32 columns of a block of every row:
///
///     panel:  codes of column 0, of column 1, ..., of column 31, first parameters, second parameters
///
/// Outputs, the entries of a column, are cut into chunks of 64, the last one filled up with zeros. A plane of w bits
/// of a chunk takes B = 8 w bytes, and byte i holds the codes of outputs i, i + B, i + 2 B, ..., the first in the low
/// bits. Parameters are one f16 per output. Columns of f32 are its numbers, one behind the other, without parameters.
#pragma once
#include <string.h>

#include "../linear/blocks.h"

enum { OUTPUTS_OF_CHUNK = 64 };

/// Bits of a code.
static inline size_t code_bits(block_format f) { return code_bytes(f) * 8 / BLOCK; }

/// Columns that share their parameters.
static inline size_t shared_columns(block_format f) { return f == Q6B16 ? 16 : BLOCK; }

/// Where parts of a matrix of columns lie.
typedef struct {
  /// Bytes of the codes of a column, and of one parameter of all outputs.
  size_t column, parameter;
  size_t panel;
} column_layout;

static inline column_layout layout_of(block_format f, size_t outputs) {
  const size_t padded = ck_column_outputs(outputs);
  column_layout l = {padded * code_bits(f) / 8, padded * 2, 0};
  l.panel = BLOCK * l.column + parameter_bytes(f) / 2 * l.parameter;
  return l;
}

/// The codes of column j.
static inline const uint8_t *column_codes(column_layout l, const void *w, size_t j) {
  return (const uint8_t *)w + j / BLOCK * l.panel + j % BLOCK * l.column;
}

/// The scales of column j, and its minima.
static inline const uint8_t *column_scales(block_format f, column_layout l, const void *w, size_t j) {
  const size_t second = f == Q6B16 && j % BLOCK >= 16;
  return (const uint8_t *)w + j / BLOCK * l.panel + BLOCK * l.column + second * l.parameter;
}
static inline const uint8_t *column_minima(column_layout l, const void *w, size_t j) {
  return (const uint8_t *)w + j / BLOCK * l.panel + BLOCK * l.column + l.parameter;
}

/// The codes of a chunk at p, less their offset.
static inline __attribute__((always_inline)) void read_chunk(block_format f, const uint8_t *p, int8_t *code) {
  if (f == Q8B32) {
    memcpy(code, p, OUTPUTS_OF_CHUNK);
    return;
  }
  uint8_t byte[OUTPUTS_OF_CHUNK];
  for (int i = 0; i < 32; i++) byte[i] = p[i] & 15;
  for (int i = 0; i < 32; i++) byte[i + 32] = p[i] >> 4;
  // Eight codes at a time, the high bits of each in its own byte: a shift of the word moves no bit that the mask
  // keeps into another byte.
  uint64_t high[2], eight[OUTPUTS_OF_CHUNK / 8];
  memcpy(eight, byte, sizeof eight);
  if (f == Q6B16) {
    memcpy(high, p + 32, 16);
    for (int i = 0; i < 8; i++) eight[i] |= (high[i % 2] >> (i / 2 * 2) & 0x0303030303030303) << 4;
  }
  if (f == Q5B32) {
    memcpy(high, p + 32, 8);
    for (int i = 0; i < 8; i++) eight[i] |= (high[0] >> i & 0x0101010101010101) << 4;
  }
  memcpy(byte, eight, sizeof eight);
  for (int i = 0; i < OUTPUTS_OF_CHUNK; i++) code[i] = (int8_t)(byte[i] - code_offset(f));
}
