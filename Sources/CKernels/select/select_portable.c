#include <stddef.h>
#include <stdint.h>

#define TARGET_BEGIN
#define TARGET_END
#define INLINE static inline

INLINE size_t count_above(size_t count, const float *x, float t) {
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i] > t;
  return sum;
}

INLINE uint32_t above(const float *x, float t) {
  uint32_t bits = 0;
  for (int i = 0; i < 16; i++) bits |= (uint32_t)(x[i] > t) << i;
  return bits;
}

INLINE void bounds(size_t count, const float *x, float *low, float *high) {
  *low = __builtin_inff();
  *high = -__builtin_inff();
  for (size_t i = 0; i < count; i++) {
    if (x[i] < *low) *low = x[i];
    if (x[i] > *high) *high = x[i];
  }
}

#include "select.h"

void f32_select__portable(size_t count, const float *x, size_t selected, uint32_t *places) {
  select_largest(count, x, selected, places);
}
