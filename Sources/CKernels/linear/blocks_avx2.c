#if defined(__x86_64__)
#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#include "blocks_x86.h"

TARGET_BEGIN

INLINE __m256i pairs(__m256i a) { return _mm256_madd_epi16(a, _mm256_set1_epi16(1)); }

/// Sums over vectors first..<end of codes by activations, 4 products per lane and vector.
///
/// 16 bits hold the products of pairs of as many vectors as the largest code allows, by 2 * 127 each: 8 of
/// 15, 4 of 31, 2 of 63.
INLINE __m256i dot(
    const block_format f, const int first, const int end, const __m256i *code, const uint8_t *x) {
  const int most = f == Q4B32 ? 8 : f == Q5B32 ? 4 : 2;
  __m256i sum = _mm256_setzero_si256();
  UNROLL for (int j = first; j < end; j += most) {
    __m256i part = _mm256_maddubs_epi16(code[j], load256(x + 32 * j));
    UNROLL for (int i = j + 1; i < end && i < j + most; i++) {
      part = _mm256_add_epi16(part, _mm256_maddubs_epi16(code[i], load256(x + 32 * i)));
    }
    sum = j == first ? pairs(part) : _mm256_add_epi32(sum, pairs(part));
  }
  return sum;
}

/// Signed codes: |code| times x with the sign of the code. The products of one pair fill 16 bits.
INLINE __m256i signed_dot(const int count, const __m256i *code, const __m256i *magnitude, const uint8_t *x) {
  __m256i sum = _mm256_setzero_si256();
  UNROLL for (int j = 0; j < count; j++) {
    const __m256i signed_x = _mm256_sign_epi8(load256(x + 32 * j), code[j]);
    const __m256i part = pairs(_mm256_maddubs_epi16(magnitude[j], signed_x));
    sum = j == 0 ? part : _mm256_add_epi32(sum, part);
  }
  return sum;
}

/// Four vectors at a time, so that codes and magnitudes stay in registers.
INLINE void add_signed_products(const int m, const chunk part, lane8 *lanes) {
  enum { STEP = 4 };
  const int count = m < STEP ? m : STEP;
  const parameters8 p = load_parameters(Q8B32, m, part.parameters);
  __m256i code[STEP], magnitude[STEP], sum[CK_BLOCK_ROWS];
  UNROLL for (int first = 0; first < m; first += STEP) {
    UNROLL for (int j = 0; j < count; j++) {
      code[j] = codes(Q8B32, m, first + j, part.planes);
      magnitude[j] = _mm256_abs_epi8(code[j]);
    }
    for (size_t s = 0; s < part.rows; s++) {
      const uint8_t *x = part.x + s * part.x_stride;
      const __m256i step = signed_dot(count, code, magnitude, x + 32 * first);
      sum[s] = first == 0 ? step : _mm256_add_epi32(sum[s], step);
      if (first + count == m) lanes[s] = add_scaled(Q8B32, m, 0, sum + s, p, x, lanes[s]);
    }
  }
}

INLINE void add_chunk(const block_format f, const int m, const chunk part, lane8 *lanes) {
  if (f == Q8B32) return add_signed_products(m, part, lanes);
  __m256i code[CHUNK_BLOCKS];
  UNROLL for (int j = 0; j < m; j++) code[j] = codes(f, m, j, part.planes);
  add_products(f, m, code_offset(f), dot, code, part, lanes);
}

TARGET_END

#include "blocks_tile.h"

TARGET_BEGIN
void q8b32_linear__avx2(const ck_linear_blocks *call) { linear(Q8B32, call); }
void q6b16_linear__avx2(const ck_linear_blocks *call) { linear(Q6B16, call); }
void q5b32_linear__avx2(const ck_linear_blocks *call) { linear(Q5B32, call); }
void q4b32_linear__avx2(const ck_linear_blocks *call) { linear(Q4B32, call); }
TARGET_END
#endif
