#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET_BEGIN
#define TARGET_END

typedef struct { float32x4_t low, high; } lane8;

static inline lane8 lane8_load(const float *p) { return (lane8){vld1q_f32(p), vld1q_f32(p + 4)}; }

static inline void lane8_store(float *p, lane8 a) {
  vst1q_f32(p, a.low);
  vst1q_f32(p + 4, a.high);
}

static inline lane8 lane8_fma(lane8 a, lane8 b, lane8 c) {
  return (lane8){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}

static inline lane8 lane8_halves(const uint8_t *p) {
  const float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(p));
  return (lane8){vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
}

static inline lane8 lane8_codes(const uint8_t *p) {
  const int16x8_t codes = vmovl_s8(vreinterpret_s8_u8(vld1_u8(p)));
  return (lane8){vcvtq_f32_s32(vmovl_s16(vget_low_s16(codes))), vcvtq_f32_s32(vmovl_high_s16(codes))};
}

static inline lane8 lane8_set(float a) { return (lane8){vdupq_n_f32(a), vdupq_n_f32(a)}; }

static inline lane8 lane8_fnma(lane8 a, lane8 b, lane8 c) {
  return (lane8){vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
}

#include "weighted_rows.h"

void q8b32_weighted_rows__neon(const ck_weighted_rows *call) { weighted_rows(Q8B32, call); }
void q6b16_weighted_rows__neon(const ck_weighted_rows *call) { weighted_rows(Q6B16, call); }
void q5b32_weighted_rows__neon(const ck_weighted_rows *call) { weighted_rows(Q5B32, call); }
void q4b32_weighted_rows__neon(const ck_weighted_rows *call) { weighted_rows(Q4B32, call); }
void f32_weighted_rows__neon(const ck_weighted_rows *call) { weighted_rows_f32(call); }
#endif
