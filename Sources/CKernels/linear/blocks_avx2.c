#if defined(__x86_64__)
#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#include "blocks_x86.h"

TARGET_BEGIN

/// Whether codes fill 8 bits.
INLINE int is_signed(const block_format f) { return f == Q8B32 || f == Q8N32; }

INLINE __m256i pairs(__m256i a) { return _mm256_madd_epi16(a, _mm256_set1_epi16(1)); }

/// Sums of unsigned codes by activations over vectors first..<end, in 16-bit lanes.
///
/// A lane may pass 2^15 on the way, but not with the offset, whatever the order: the sums are those of codes
/// less their offset, -32...31 over 8 products or -16...15 over 16, by at most 127 each.
INLINE __m256i dot16(const int first, const int end, const __m256i *code, const uint8_t *x) {
  __m256i sum = _mm256_maddubs_epi16(code[first], load256(x + 32 * first));
  UNROLL for (int j = first + 1; j < end; j++) {
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(code[j], load256(x + 32 * j)));
  }
  return sum;
}

/// Signed codes: |code| times x with the sign of the code; the products of one pair fill 16 bits. Four
/// vectors at a time, so that codes and magnitudes stay in registers.
INLINE void signed_dots(
    const block_format f, const int m, const uint8_t *planes, const uint8_t *low, const chunk part,
    __m256i *sum) {
  enum { STEP = 4 };
  const int count = m < STEP ? m : STEP;
  __m256i code[STEP], magnitude[STEP];
  UNROLL for (int first = 0; first < m; first += STEP) {
    UNROLL for (int j = 0; j < count; j++) {
      code[j] = codes(f, m, first + j, planes, low);
      if (f == Q8N32) code[j] = _mm256_xor_si256(code[j], _mm256_set1_epi8((char)0x80));
      magnitude[j] = _mm256_abs_epi8(code[j]);
    }
    const uint8_t *x = part.x + 32 * first;
    for (size_t s = 0; s < part.rows; s++, x += part.x_stride) {
      __m256i total = first == 0 ? _mm256_setzero_si256() : sum[s];
      UNROLL for (int j = 0; j < count; j++) {
        const __m256i signed_x = _mm256_sign_epi8(load256(x + 32 * j), code[j]);
        total = _mm256_add_epi32(total, pairs(_mm256_maddubs_epi16(magnitude[j], signed_x)));
      }
      sum[s] = total;
    }
  }
}

/// Sums in 16-bit lanes; those of the second halves apart for formats with two scales per block.
INLINE void unsigned_dots(
    const block_format f, const int m, const uint8_t *planes, const chunk part, __m256i *sum,
    __m256i *second_sum) {
  __m256i code[CHUNK_BLOCKS];
  UNROLL for (int j = 0; j < m; j++) code[j] = codes(f, m, j, planes, NULL);
  const uint8_t *x = part.x, *offset = x + offsets_at((size_t)m), *halves = x + half_offsets_at((size_t)m);
  for (size_t s = 0; s < part.rows; s++) {
    __m256i first = dot16(0, f == Q6B16 && m > 1 ? m / 2 : m, code, x), second = first;
    if (f == Q6B16 && m > 1) {
      second = dot16(m / 2, m, code, x);
    } else if (f == Q6B16) {
      // One vector holds both halves of a block.
      first = _mm256_blend_epi32(second, _mm256_setzero_si256(), 0xf0);
      second = _mm256_blend_epi32(second, _mm256_setzero_si256(), 0x0f);
    }
    if (f == Q5B32) first = _mm256_add_epi16(first, load256(offset));
    if (f == Q6B16) first = _mm256_add_epi16(first, load256(halves));
    if (f == Q6B16) second_sum[s] = _mm256_add_epi16(second, load256(halves + 32));
    sum[s] = first;
    x += part.x_stride, offset += part.x_stride, halves += part.x_stride;
  }
}

/// First all integer products, then all scales: the processor keeps more of either in flight.
INLINE void add_chunk(const block_format f, const int m, const int group, const chunk part, lane8 *lanes) {
  __m256i sum[GROUP * CK_BLOCK_ROWS], second_sum[GROUP * CK_BLOCK_ROWS];
  parameters8 p[GROUP];
  UNROLL for (int r = 0; r < group; r++) {
    const size_t at = (size_t)r * part.w_stride, place = (size_t)r * part.rows;
    if (is_signed(f)) {
      const uint8_t *low = f == Q8N32 ? part.low + (size_t)r * part.low_stride : NULL;
      signed_dots(f, m, part.planes + at, low, part, sum + place);
    } else {
      unsigned_dots(f, m, part.planes + at, part, sum + place, second_sum + place);
    }
    p[r] = load_parameters(f, m, part.parameters + at);
  }
  const uint8_t *x = part.x;
  for (size_t s = 0; s < part.rows; s++, x += part.x_stride) {
    UNROLL for (int r = 0; r < group; r++) {
      const size_t i = (size_t)r * part.rows + s;
      const __m256i dot[] = {
          is_signed(f) ? sum[i] : pairs(sum[i]), f == Q6B16 ? pairs(second_sum[i]) : sum[i]};
      lanes[i] = add_scaled(f, m, dot, p[r], x, lanes[i]);
    }
  }
}

TARGET_END

#include "blocks_tile.h"

TARGET_BEGIN
void q8b32_linear__avx2(const ck_linear_blocks *call) { linear(Q8B32, call); }
void q6b16_linear__avx2(const ck_linear_blocks *call) { linear(Q6B16, call); }
void q5b32_linear__avx2(const ck_linear_blocks *call) { linear(Q5B32, call); }
void q4b32_linear__avx2(const ck_linear_blocks *call) { linear(Q4B32, call); }
void q8n32_linear__avx2(const ck_linear_blocks *call) { linear(Q8N32, call); }
void q4n32_linear__avx2(const ck_linear_blocks *call) { linear(Q4N32, call); }
TARGET_END
#endif
