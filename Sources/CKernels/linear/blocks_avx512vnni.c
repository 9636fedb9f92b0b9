#if defined(__x86_64__)
#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx512bw,avx512vl,avx512vnni\"))),apply_to=function)")
#define TARGET_END _Pragma("clang attribute pop")
#include "blocks_x86.h"

TARGET_BEGIN

INLINE __m512i load512(const void *p) { return _mm512_loadu_si512(p); }

/// Vectors 2 i and 2 i + 1 of the `bits`-wide plane of a chunk of 8 blocks, moved to bit `at` of every byte.
INLINE __m512i plane_pair(const uint8_t *p, const int i, const int bits, const int at) {
  const __m512i mask = _mm512_set1_epi8((char)(((1 << bits) - 1) << at));
  __m512i v;
  int shift;
  if (bits == 1) {
    // Bit j of the 32 bytes is vector j: the upper half is moved on by one.
    const __m256i all = load256(p);
    v = _mm512_inserti64x4(_mm512_castsi256_si512(all), _mm256_srli_epi16(all, 1), 1);
    shift = 2 * i - at;
  } else {
    const int pairs = bits / 2;
    v = load512(p + i % pairs * 64);
    shift = i / pairs * bits - at;
  }
  if (shift > 0) v = _mm512_srli_epi16(v, (unsigned)shift);
  if (shift < 0) v = _mm512_slli_epi16(v, (unsigned)-shift);
  return _mm512_and_si512(v, mask);
}

/// Vectors 2 i and 2 i + 1 of the codes of a chunk of 8 blocks, as unsigned numbers.
INLINE __m512i code_pair(const block_format f, const int i, const uint8_t *planes, const uint8_t *low) {
  switch (f) {
    case Q8B32: return _mm512_xor_si512(load512(planes + 64 * i), _mm512_set1_epi8((char)0x80));
    case Q6B16: return _mm512_or_si512(plane_pair(planes, i, 4, 0), plane_pair(planes + 128, i, 2, 4));
    case Q5B32: return _mm512_or_si512(plane_pair(planes, i, 4, 0), plane_pair(planes + 128, i, 1, 4));
    case Q8N32: return _mm512_or_si512(plane_pair(low, i, 4, 0), plane_pair(planes, i, 4, 4));
    case Q4B32:
    case Q4N32: return plane_pair(planes, i, 4, 0);
  }
}

/// Subtracts what unsigned codes are too large by: offsets are -16 times the sums of activations, those of
/// halves -32 times, and codes of 8 bits are 128 too large.
INLINE __m256i less_offset(const block_format f, const int m, const int half, __m256i sum, const uint8_t *x) {
  const uint8_t *offset = f == Q6B16 ? x + half_offsets_at((size_t)m) + 32 * half : x + offsets_at((size_t)m);
  if (has_minimum(f)) return sum;
  return _mm256_dpwssd_epi32(sum, load256(offset), _mm256_set1_epi16(f == Q8B32 || f == Q8N32 ? 8 : 1));
}

/// Sums over pairs of vectors first..<end; lanes of both vectors of a pair are added.
INLINE __m256i dot_pairs(const int first, const int end, const __m512i *code, const uint8_t *x) {
  __m512i sum = _mm512_setzero_si512();
  UNROLL for (int i = first; i < end; i++) sum = _mm512_dpbusd_epi32(sum, code[i], load512(x + 64 * i));
  return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
}

/// Sums over vectors first..<end.
INLINE __m256i dot(const int first, const int end, const __m256i *code, const uint8_t *x) {
  __m256i sum = _mm256_setzero_si256();
  UNROLL for (int j = first; j < end; j++) sum = _mm256_dpbusd_epi32(sum, code[j], load256(x + 32 * j));
  return sum;
}

/// A chunk of 8 blocks of one row of weights: two vectors per register.
INLINE void add_full_chunk(const block_format f, const chunk part, lane8 *lanes) {
  __m512i code[CHUNK_BLOCKS / 2];
  UNROLL for (int i = 0; i < CHUNK_BLOCKS / 2; i++) code[i] = code_pair(f, i, part.planes, part.low);
  const parameters8 p = load_parameters(f, 8, part.parameters);
  const uint8_t *x = part.x;
  for (size_t s = 0; s < part.rows; s++, x += part.x_stride) {
    __m256i sum[2];
    sum[0] = less_offset(f, 8, 0, dot_pairs(0, f == Q6B16 ? 2 : 4, code, x), x);
    if (f == Q6B16) sum[1] = less_offset(f, 8, 1, dot_pairs(2, 4, code, x), x);
    lanes[s] = add_scaled(f, 8, sum, p, x, lanes[s]);
  }
}

/// A chunk of 4, 2 or 1 blocks of one row of weights.
INLINE void add_small_chunk(const block_format f, const int m, const chunk part, lane8 *lanes) {
  __m256i code[CHUNK_BLOCKS / 2];
  UNROLL for (int j = 0; j < m; j++) {
    code[j] = codes(f, m, j, part.planes, part.low);
    if (f == Q8B32) code[j] = _mm256_xor_si256(code[j], _mm256_set1_epi8((char)0x80));
  }
  const parameters8 p = load_parameters(f, m, part.parameters);
  const uint8_t *x = part.x;
  for (size_t s = 0; s < part.rows; s++, x += part.x_stride) {
    __m256i sum[2];
    if (f == Q6B16 && m > 1) {
      sum[0] = dot(0, m / 2, code, x);
      sum[1] = dot(m / 2, m, code, x);
    } else {
      sum[0] = dot(0, m, code, x);
      // One vector holds both halves of a block.
      if (f == Q6B16) sum[1] = _mm256_blend_epi32(sum[0], _mm256_setzero_si256(), 0x0f);
      if (f == Q6B16) sum[0] = _mm256_blend_epi32(sum[0], _mm256_setzero_si256(), 0xf0);
    }
    sum[0] = less_offset(f, m, 0, sum[0], x);
    if (f == Q6B16) sum[1] = less_offset(f, m, 1, sum[1], x);
    lanes[s] = add_scaled(f, m, sum, p, x, lanes[s]);
  }
}

INLINE void add_chunk(const block_format f, const int m, const int group, chunk part, lane8 *lanes) {
  for (int r = 0; r < group; r++) {
    if (m == 8) {
      add_full_chunk(f, part, lanes);
    } else {
      add_small_chunk(f, m, part, lanes);
    }
    part.planes += part.w_stride;
    part.parameters += part.w_stride;
    if (f == Q8N32) part.low += part.low_stride;
    lanes += part.rows;
  }
}

TARGET_END

#include "blocks_tile.h"

TARGET_BEGIN
void q8b32_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q8B32, call); }
void q6b16_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q6B16, call); }
void q5b32_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q5B32, call); }
void q4b32_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q4B32, call); }
void q8n32_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q8N32, call); }
void q4n32_linear__avx512vnni(const ck_linear_blocks *call) { linear(Q4N32, call); }
TARGET_END
#endif
