#if defined(__aarch64__)
#include "../simd/neon.h"
#include "quantize_rows.h"

INLINE float quantize_block(const float *x, size_t count, int8_t *q) {
  float filled[BLOCK];
  if (count < BLOCK) {
    memset(filled, 0, sizeof filled);
    memcpy(filled, x, count * sizeof *x);
    x = filled;
  }
  float32x4_t v[8];
  uint32x4_t m = vdupq_n_u32(0);
  for (int i = 0; i < 8; i++) {
    v[i] = vld1q_f32(x + 4 * i);
    m = vmaxq_u32(m, vandq_u32(vreinterpretq_u32_f32(v[i]), vdupq_n_u32(0x7fffffff)));
  }
  const uint32_t largest = vmaxvq_u32(m);
  float maximum;
  memcpy(&maximum, &largest, 4);
  if (largest >= 0x7f800000 || maximum < least_maximum) {
    memset(q, 0, BLOCK);
    return largest >= 0x7f800000 ? maximum : 0;
  }
  const float factor = 127 / maximum;
  for (int i = 0; i < 8; i += 2) {
    const int16x4_t low = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(v[i], factor)));
    const int16x4_t high = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(v[i + 1], factor)));
    vst1_s8(q + 4 * i, vqmovn_s16(vcombine_s16(low, high)));
  }
  return maximum / 127;
}

INLINE void sum_lanes(size_t m, const int8_t *q, int16_t (*half)[2 * CHUNK_LANES]) {
  int16x8_t sum[2][2] = {{vdupq_n_s16(0), vdupq_n_s16(0)}, {vdupq_n_s16(0), vdupq_n_s16(0)}};
  for (size_t i = 0; i < 2 * m; i++) {
    int16x8_t *lanes = sum[i / m] + i % 2;
    *lanes = vpadalq_s8(*lanes, vld1q_s8(q + 16 * i));
  }
  for (size_t i = 0; i < 4; i++) vst1q_s16(half[i / 2] + i % 2 * 8, sum[i / 2][i % 2]);
}

void f32_quantize_rows__neon(const ck_quantize_rows_f32 *call) {
  quantize_rows(call, quantize_block, sum_lanes);
}
#endif
