#include "quantize_rows.h"

/// Rounds to nearest, ties to even, for |x| < 2^22.
static float rounded(float x) {
  const float magic = 0x1.8p23f;
  volatile float sum = x + magic;  // Or the compiler might simplify x + magic - magic.
  return sum - magic;
}

static float quantize_block(const float *x, size_t count, int8_t *q) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  float maximum;
  memcpy(&maximum, &largest, 4);
  memset(q, 0, BLOCK);
  // Also where the maximum is a NaN, whose bits are above those of every number.
  if (largest >= 0x7f800000) return maximum;
  if (maximum < least_maximum) return 0;
  const float factor = 127 / maximum;
  for (size_t i = 0; i < count; i++) q[i] = (int8_t)rounded(x[i] * factor);
  return maximum / 127;
}

static void sum_lanes(size_t m, const int8_t *q, int16_t (*half)[2 * CHUNK_LANES]) {
  memset(half, 0, 2 * sizeof *half);
  for (size_t i = 0; i < BLOCK * m; i++) {
    int16_t *lane = half[i / (BLOCK / 2 * m)] + i / 2 % (2 * CHUNK_LANES);
    *lane = (int16_t)(*lane + q[i]);
  }
}

void f32_quantize_rows__portable(const ck_quantize_rows_f32 *call) {
  quantize_rows(call, quantize_block, sum_lanes);
}
