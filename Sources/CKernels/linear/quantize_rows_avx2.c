#if defined(__x86_64__)
#include "../simd/avx2.h"
#include "quantize_rows.h"

TARGET_BEGIN

/// The largest of eight unsigned numbers.
INLINE uint32_t largest_of(__m256i a) {
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(m);
}

/// 127 * 2^-23 relative error of the factor cannot move a quant past 127.
INLINE float quantize_block(const float *x, size_t count, int8_t *q) {
  __m256 v[4];
  for (int i = 0; i < 4; i++) {
    v[i] = count == BLOCK ? _mm256_loadu_ps(x + 8 * i)
                          : _mm256_maskload_ps(x + 8 * i, first_lanes((ptrdiff_t)count - 8 * i));
  }
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i m = _mm256_and_si256(_mm256_castps_si256(v[0]), magnitude);
  for (int i = 1; i < 4; i++) {
    m = _mm256_max_epu32(m, _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude));
  }
  const uint32_t largest = largest_of(m);
  float maximum;
  memcpy(&maximum, &largest, 4);
  if (largest >= 0x7f800000 || maximum < least_maximum) {
    _mm256_storeu_si256((__m256i *)q, _mm256_setzero_si256());
    return largest >= 0x7f800000 ? maximum : 0;
  }
  const __m256 factor = _mm256_set1_ps(127 / maximum);
  __m256i n[4];
  for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], factor));
  // Packing works within halves of a register: pieces come out as 0 2 4 6, 1 3 5 7.
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256((__m256i *)q, _mm256_permutevar8x32_epi32(packed, order));
  return maximum / 127;
}

INLINE void sum_lanes(size_t m, const int8_t *q, int16_t (*half)[2 * CHUNK_LANES]) {
  const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
  __m256i sum[2] = {zero, zero};
  for (size_t j = 0; j < m; j++) {
    const __m256i pairs = _mm256_maddubs_epi16(one, _mm256_loadu_si256((const __m256i *)(q + BLOCK * j)));
    sum[2 * j / m] = _mm256_add_epi16(sum[2 * j / m], pairs);
  }
  if (m == 1) {
    // One vector holds both halves.
    sum[1] = _mm256_blend_epi32(sum[0], zero, 0x0f);
    sum[0] = _mm256_blend_epi32(sum[0], zero, 0xf0);
  }
  for (size_t i = 0; i < 2; i++) _mm256_storeu_si256((__m256i *)half[i], sum[i]);
}

void f32_quantize_rows__avx2(const ck_quantize_rows_f32 *call) {
  quantize_rows(call, quantize_block, sum_lanes);
}

TARGET_END
#endif
