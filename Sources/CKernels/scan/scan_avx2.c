#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "scan.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")

TARGET_BEGIN

/// Rows 0-7 and 8-15 of a panel.
typedef struct { __m256i half[2]; } sum16;
typedef struct { __m256 half[2]; } row_scales;

INLINE __m256i load256(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

/// Four numbers, for every row.
INLINE __m256i load_four(const int8_t *q) {
  int32_t four;
  memcpy(&four, q, 4);
  return _mm256_set1_epi32(four);
}

/// Adds the products of `groups` groups. 16 bits hold those of pairs of codes: 8 of 15 by 127, or one of 255
/// by 63.
INLINE void add_groups(
    const int bits, const int rows, const int groups, const uint8_t *codes, const int8_t *q, size_t q_stride,
    sum16 *sums) {
  const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  UNROLL for (int h = 0; h < 2; h++) {
    __m256i part[CK_SCAN_ROWS];
    UNROLL for (int g = 0; g < groups; g++) {
      const __m256i code = load256(codes + g * GROUP_BYTES + 32 * h);
      UNROLL for (int s = 0; s < rows; s++) {
        const int8_t *four = q + (size_t)s * q_stride + g * (bits == 4 ? 8 : 4);
        __m256i pairs;
        if (bits == 4) {
          const __m256i high = _mm256_and_si256(_mm256_srli_epi16(code, 4), low);
          pairs = _mm256_add_epi16(
              _mm256_maddubs_epi16(_mm256_and_si256(code, low), load_four(four)),
              _mm256_maddubs_epi16(high, load_four(four + 4)));
        } else {
          pairs = _mm256_maddubs_epi16(code, load_four(four));
        }
        part[s] = g == 0 ? pairs : _mm256_add_epi16(part[s], pairs);
      }
    }
    UNROLL for (int s = 0; s < rows; s++) {
      sums[s].half[h] = _mm256_add_epi32(sums[s].half[h], _mm256_madd_epi16(part[s], ones));
    }
  }
}

INLINE void panel_sums(const int bits, const int rows, const ck_scan *c, const uint8_t *codes, sum16 *sums) {
  UNROLL for (int s = 0; s < rows; s++) sums[s].half[0] = sums[s].half[1] = _mm256_setzero_si256();
  const int step = bits == 4 ? 4 : 1;
  const size_t coordinates = group_coordinates(bits), groups = c->rank / coordinates;
  size_t g = 0;
  for (; g + (size_t)step <= groups; g += (size_t)step) {
    add_groups(bits, rows, step, codes + g * GROUP_BYTES, c->q + g * coordinates, c->q_stride, sums);
  }
  for (; g < groups; g++) {
    add_groups(bits, rows, 1, codes + g * GROUP_BYTES, c->q + g * coordinates, c->q_stride, sums);
  }
}

INLINE row_scales load_scales(const uint8_t *p) {
  return (row_scales){{
      _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
      _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 16))),
  }};
}

INLINE void store_scores(sum16 sums, int32_t offset, float scale, row_scales scales, float *y) {
  UNROLL for (int h = 0; h < 2; h++) {
    const __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums.half[h], _mm256_set1_epi32(offset)));
    _mm256_storeu_ps(y + 8 * h, _mm256_mul_ps(_mm256_mul_ps(sum, _mm256_set1_ps(scale)), scales.half[h]));
  }
}

TARGET_END

#include "scan_tile.h"

TARGET_BEGIN
void u4_scan__avx2(const ck_scan *call) { scan(4, call); }
void u8_scan__avx2(const ck_scan *call) { scan(8, call); }
TARGET_END
#endif
