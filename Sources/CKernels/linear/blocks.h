/// Rows of numbers in blocks: quantized activations, and weights in the formats of the table below.
///
/// A row of K numbers is cut into blocks of 32, the last one filled up; the blocks into chunks of 8, and the
/// rest, where there is one, into at most one chunk of 4, one of 2 and one of 1, in this order. In a chunk of
/// m blocks numbers lie in pieces of four: the first piece of each block, then the second piece of each, ...
///
///     place of number e of block b = (e / 4 * m + b) * 4 + e % 4
///
/// So in every vector of 32 bytes the 32-bit lane l holds numbers of block l % m alone: what instructions of
/// 8-bit products add up in a lane has one scale, and 8 scales are applied at once.
///
/// Codes of fewer than 8 bits are split into planes: a plane of w bits of n codes takes B = n w / 8 bytes,
/// and byte i holds those of places i, i + B, i + 2 B, ..., the first in the low bits.
///
///     row of weights:      planes of chunk 0, planes of chunk 1, ..., parameters of chunk 0, of chunk 1, ...
///     chunk of activations: 32 m int8 | 8 scales f32 | 8 sums f32 | 16 offsets i16 | 2 x 16 half offsets i16
///
/// | format | code -> weight   | planes, low bits first | parameters of a chunk (f16)                   |
/// |--------|------------------|------------------------|-----------------------------------------------|
/// | q8b32  | d q              | 8 (two's complement)   | m times d                                     |
/// | q6b16  | d (q - 32)       | 4, 2                   | m times d of numbers 0-15, m times d of 16-31 |
/// | q5b32  | d (q - 16)       | 4, 1                   | m times d                                     |
/// | q4b32  | d q - minimum    | 4                      | m times d, m times minimum                    |
/// | q8n32  | d (q - 128)      | 4 (apart), 4           | m times d                                     |
/// | q4n32  | d (16 q - 120.5) | 4                      | m times d                                     |
///
/// The low plane of q8n32 lies apart, behind all rows of the matrix: row by row, 16 bytes per block, chunk by
/// chunk. What is left of a row, high nibbles and scales, is a row of q4n32.
///
/// Scales and sums of activations are those of a lane: that of block l % m, and the sum of what the lane
/// holds in all vectors. Offsets are what instructions with unsigned codes add to sums of products, in 16-bit
/// lanes: -16 times the sum of the lane, and -32 times that over the vectors of the first and of the second
/// half of the chunk (numbers 0-15 and 16-31 of its blocks). A chunk of one block is one vector, whose lanes
/// 4-7 hold the second half.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

/// GROUP: rows of weights whose products with activations are made together.
enum { BLOCK = 32, CHUNK_BLOCKS = 8, CHUNK_LANES = 8, GROUP = 4 };

typedef enum { Q8B32, Q6B16, Q5B32, Q4B32, Q8N32, Q4N32 } block_format;

/// Bytes of a block's codes that lie together with its parameters.
static inline size_t code_bytes(block_format f) {
  switch (f) {
    case Q8B32: return 32;
    case Q6B16: return 24;
    case Q5B32: return 20;
    case Q4B32:
    case Q8N32:
    case Q4N32: return 16;
  }
}

/// Bytes of a block's codes that lie apart.
static inline size_t low_bytes(block_format f) { return f == Q8N32 ? 16 : 0; }

/// Bytes of a block's parameters.
static inline size_t parameter_bytes(block_format f) { return f == Q6B16 || f == Q4B32 ? 4 : 2; }

/// Whether something is subtracted from the products of a block: its minimum, or a multiple of its scale.
static inline int has_minimum(block_format f) { return f == Q4B32 || f == Q4N32; }

/// The scale of a code of q4n32, and what is subtracted, in scales of the block.
#define HIGH_SCALE 16.0f
#define HIGH_MINIMUM 120.5f

/// What is subtracted from a code.
static inline int code_offset(block_format f) {
  return f == Q8N32 ? 128 : f == Q6B16 ? 32 : f == Q5B32 ? 16 : 0;
}

/// A chunk of rows of weights, and of rows of activations that it is multiplied with.
typedef struct {
  const uint8_t *planes, *parameters, *x;
  /// The plane that lies apart, and bytes from one row of it to the next.
  const uint8_t *low;
  size_t low_stride;
  size_t w_stride, x_stride, rows;
} chunk;

static inline size_t row_blocks(size_t inner) { return (inner + BLOCK - 1) / BLOCK; }

/// Blocks of the next chunk when `blocks` are left.
static inline size_t chunk_blocks(size_t blocks) {
  return blocks >= 8 ? 8 : blocks >= 4 ? 4 : blocks >= 2 ? 2 : 1;
}

/// Bytes of a chunk of m blocks of activations, and where its parts begin.
static inline size_t chunk_bytes(size_t m) { return 32 * m + 160; }
static inline size_t scales_at(size_t m) { return 32 * m; }
static inline size_t sums_at(size_t m) { return 32 * m + 32; }
static inline size_t offsets_at(size_t m) { return 32 * m + 64; }
static inline size_t half_offsets_at(size_t m) { return 32 * m + 96; }
