#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "scan.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx512bw,avx512vl,avx512vnni\"))),apply_to=function)")
#define TARGET_END _Pragma("clang attribute pop")

TARGET_BEGIN

typedef __m512i sum16;
typedef __m512 row_scales;

/// Four numbers, for every row.
INLINE __m512i load_four(const int8_t *q) {
  int32_t four;
  memcpy(&four, q, 4);
  return _mm512_set1_epi32(four);
}

/// A group is one vector.
INLINE void panel_sums(const int bits, const int rows, const ck_scan *c, const uint8_t *codes, sum16 *sums) {
  const __m512i low = _mm512_set1_epi8(15);
  __m512i odd[CK_SCAN_ROWS];
  UNROLL for (int s = 0; s < rows; s++) sums[s] = odd[s] = _mm512_setzero_si512();
  const size_t step = 8;
  for (size_t k = 0; k < c->rank; k += step, codes += bits * 16) {
    const __m512i first = _mm512_loadu_si512(codes);
    const __m512i a = bits == 4 ? _mm512_and_si512(first, low) : first;
    const __m512i b = bits == 4 ? _mm512_and_si512(_mm512_srli_epi16(first, 4), low)
                                : _mm512_loadu_si512(codes + GROUP_BYTES);
    UNROLL for (int s = 0; s < rows; s++) {
      const int8_t *q = c->q + (size_t)s * c->q_stride + k;
      sums[s] = _mm512_dpbusd_epi32(sums[s], a, load_four(q));
      odd[s] = _mm512_dpbusd_epi32(odd[s], b, load_four(q + 4));
    }
  }
  UNROLL for (int s = 0; s < rows; s++) sums[s] = _mm512_add_epi32(sums[s], odd[s]);
}

INLINE row_scales load_scales(const uint8_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

INLINE void store_scores(sum16 sums, int32_t offset, float scale, row_scales scales, float *y) {
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums, _mm512_set1_epi32(offset)));
  _mm512_storeu_ps(y, _mm512_mul_ps(_mm512_mul_ps(sum, _mm512_set1_ps(scale)), scales));
}

TARGET_END

#include "scan_tile.h"

TARGET_BEGIN
void u4_scan__avx512vnni(const ck_scan *call) { scan(4, call); }
void u8_scan__avx512vnni(const ck_scan *call) { scan(8, call); }
TARGET_END
#endif
