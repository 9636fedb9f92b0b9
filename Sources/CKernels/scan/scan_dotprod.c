#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#include "scan.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"dotprod\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")

TARGET_BEGIN

/// Rows 4 i ..< 4 i + 4 of a panel in vector i.
typedef struct { int32x4_t part[4]; } sum16;
typedef struct { float32x4_t part[4]; } row_scales;

/// Four numbers, for every row.
INLINE int8x16_t load_four(const int8_t *q) {
  int32_t four;
  memcpy(&four, q, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/// Codes of 8 bits are taken less 128, to be signed; sums start with what `store_scores` takes off for that.
INLINE void panel_sums(const int bits, const int rows, const ck_scan *c, const uint8_t *codes, sum16 *sums) {
  UNROLL for (int s = 0; s < rows; s++) {
    const int32_t start = bits == 8 ? scan_offset(8) * c->sums[s] : 0;
    UNROLL for (int i = 0; i < 4; i++) sums[s].part[i] = vdupq_n_s32(start);
  }
  for (size_t k = 0; k < c->rank; k += group_coordinates(bits), codes += GROUP_BYTES) {
    UNROLL for (int i = 0; i < 4; i++) {
      const uint8x16_t code = vld1q_u8(codes + 16 * i);
      UNROLL for (int s = 0; s < rows; s++) {
        const int8_t *q = c->q + (size_t)s * c->q_stride + k;
        int32x4_t sum = sums[s].part[i];
        if (bits == 4) {
          const uint8x16_t low = vandq_u8(code, vdupq_n_u8(15)), high = vshrq_n_u8(code, 4);
          sum = vdotq_s32(sum, vreinterpretq_s8_u8(low), load_four(q));
          sum = vdotq_s32(sum, vreinterpretq_s8_u8(high), load_four(q + 4));
        } else {
          const uint8x16_t less = veorq_u8(code, vdupq_n_u8(0x80));
          sum = vdotq_s32(sum, vreinterpretq_s8_u8(less), load_four(q));
        }
        sums[s].part[i] = sum;
      }
    }
  }
}

INLINE row_scales load_scales(const uint8_t *p) {
  row_scales scales;
  UNROLL for (int i = 0; i < 4; i++) {
    uint16_t bits[4];
    memcpy(bits, p + 8 * i, 8);
    scales.part[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(bits)));
  }
  return scales;
}

INLINE void store_scores(sum16 sums, int32_t offset, float scale, row_scales scales, float *y) {
  UNROLL for (int i = 0; i < 4; i++) {
    const float32x4_t sum = vcvtq_f32_s32(vsubq_s32(sums.part[i], vdupq_n_s32(offset)));
    vst1q_f32(y + 4 * i, vmulq_f32(vmulq_n_f32(sum, scale), scales.part[i]));
  }
}

TARGET_END

#include "scan_tile.h"

TARGET_BEGIN
void u4_scan__dotprod(const ck_scan *call) { scan(4, call); }
void u8_scan__dotprod(const ck_scan *call) { scan(8, call); }
TARGET_END
#endif
