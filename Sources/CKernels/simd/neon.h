/// Sixteen f32 lanes as four NEON registers.
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#define TARGET_BEGIN
#define TARGET_END
#define INLINE static inline __attribute__((always_inline))

enum { REGISTERS = 4, WIDTH = 4 };
typedef float32x4_t reg;
typedef struct { reg r[REGISTERS]; } lanes;

INLINE reg reg_zero(void) { return vdupq_n_f32(0); }
INLINE reg reg_set(float a) { return vdupq_n_f32(a); }
INLINE reg reg_load(const float *p) { return vld1q_f32(p); }
/// bf16 widened to f32.
INLINE reg reg_load_bf16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
/// f16 widened to f32.
INLINE reg reg_load_f16(const ck_f16 *p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)p)));
}
INLINE void reg_store(float *p, reg a) { vst1q_f32(p, a); }
/// Rounded to nearest, ties to even.
INLINE void reg_store_f16(ck_f16 *p, reg a) {
  vst1_u16((uint16_t *)p, vreinterpret_u16_f16(vcvt_f16_f32(a)));
}
INLINE reg reg_add(reg a, reg b) { return vaddq_f32(a, b); }
INLINE reg reg_sub(reg a, reg b) { return vsubq_f32(a, b); }
INLINE reg reg_mul(reg a, reg b) { return vmulq_f32(a, b); }
INLINE reg reg_div(reg a, reg b) { return vdivq_f32(a, b); }
/// a * b + c
INLINE reg reg_fma(reg a, reg b, reg c) { return vfmaq_f32(c, a, b); }
/// NaN when either is NaN.
INLINE reg reg_min(reg a, reg b) { return vminq_f32(a, b); }
INLINE reg reg_max(reg a, reg b) { return vmaxq_f32(a, b); }
INLINE reg reg_round(reg a) { return vrndnq_f32(a); }
INLINE reg reg_abs(reg a) { return vabsq_f32(a); }
/// a < b ? x : y, per lane
INLINE reg reg_less(reg a, reg b, reg x, reg y) { return vbslq_f32(vcltq_f32(a, b), x, y); }
/// The magnitude of a with the sign of b.
INLINE reg reg_sign(reg a, reg b) { return vbslq_f32(vdupq_n_u32(0x80000000u), b, a); }
/// a * 2^n for whole n in -252...254. Two steps, so that a subnormal result is rounded once.
INLINE reg reg_scale(reg a, reg n) {
  int32x4_t k = vcvtnq_s32_f32(n), low = vshrq_n_s32(k, 1), high = vsubq_s32(k, low);
  int32x4_t bias = vdupq_n_s32(127);
  a = vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(low, bias), 23)));
  return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(high, bias), 23)));
}

/// The first `count` (1...15) elements, then zeros; reads no others.
INLINE lanes load_part(const float *p, size_t count) {
  float copy[16] = {0};
  for (size_t i = 0; i < count; i++) copy[i] = p[i];
  lanes a;
  for (int h = 0; h < REGISTERS; h++) a.r[h] = vld1q_f32(copy + h * WIDTH);
  return a;
}
INLINE void store_part(float *p, lanes a, size_t count) {
  float copy[16];
  for (int h = 0; h < REGISTERS; h++) vst1q_f32(copy + h * WIDTH, a.r[h]);
  for (size_t i = 0; i < count; i++) p[i] = copy[i];
}

INLINE float lanes_total(lanes a) {
  reg s = vaddq_f32(vaddq_f32(a.r[0], a.r[2]), vaddq_f32(a.r[1], a.r[3]));
  float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
  return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}
INLINE float lanes_largest(lanes a) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.r[0], a.r[1]), vmaxq_f32(a.r[2], a.r[3])));
}
