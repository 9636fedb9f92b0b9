#if defined(__x86_64__)
#include "../simd/avx2.h"
#define ISA avx2
#include "../simd/lanes.h"

TARGET_BEGIN

INLINE size_t count_above(size_t count, const float *x, float t) {
  const reg limit = reg_set(t);
  __m256i lane[4];
  UNROLL for (int j = 0; j < 4; j++) lane[j] = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    UNROLL for (int j = 0; j < 4; j++) {
      const reg is_above = _mm256_cmp_ps(reg_load(x + i + 8 * j), limit, _CMP_GT_OQ);
      lane[j] = _mm256_sub_epi32(lane[j], _mm256_castps_si256(is_above));
    }
  }
  UNROLL for (int j = 1; j < 4; j++) lane[0] = _mm256_add_epi32(lane[0], lane[j]);
  int32_t sums[8];
  _mm256_storeu_si256((__m256i *)sums, lane[0]);
  size_t sum = 0;
  UNROLL for (int j = 0; j < 8; j++) sum += (size_t)sums[j];
  for (; i < count; i++) sum += x[i] > t;
  return sum;
}

INLINE uint32_t above(const float *x, float t) {
  const reg limit = reg_set(t);
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(reg_load(x), limit, _CMP_GT_OQ));
  return (uint32_t)(low | _mm256_movemask_ps(_mm256_cmp_ps(reg_load(x + 8), limit, _CMP_GT_OQ)) << 8);
}

INLINE void bounds(size_t count, const float *x, float *low, float *high) {
  reg least[2], most[2];
  UNROLL for (int j = 0; j < 2; j++) {
    least[j] = reg_set(__builtin_inff());
    most[j] = reg_set(-__builtin_inff());
  }
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    UNROLL for (int j = 0; j < 2; j++) {
      const reg a = reg_load(x + i + 8 * j);
      least[j] = reg_min(a, least[j]);
      most[j] = reg_max(a, most[j]);
    }
  }
  float lanes[2][8];
  reg_store(lanes[0], reg_min(least[0], least[1]));
  reg_store(lanes[1], reg_max(most[0], most[1]));
  *low = __builtin_inff();
  *high = -__builtin_inff();
  UNROLL for (int j = 0; j < 8; j++) {
    *low = lanes[0][j] < *low ? lanes[0][j] : *low;
    *high = lanes[1][j] > *high ? lanes[1][j] : *high;
  }
  for (; i < count; i++) {
    *low = x[i] < *low ? x[i] : *low;
    *high = x[i] > *high ? x[i] : *high;
  }
}

TARGET_END

#include "select.h"

TARGET_BEGIN
void f32_select__avx2(size_t count, const float *x, size_t selected, uint32_t *places) {
  select_largest(count, x, selected, places);
}
TARGET_END
#endif
