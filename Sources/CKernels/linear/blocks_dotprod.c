#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#include "blocks.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"dotprod\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

TARGET_BEGIN

typedef struct { float32x4_t low, high; } lane8;

INLINE lane8 lane8_zero(void) { return (lane8){vdupq_n_f32(0), vdupq_n_f32(0)}; }

INLINE lane8 lane8_load(const float *p) { return (lane8){vld1q_f32(p), vld1q_f32(p + 4)}; }

INLINE void lane8_store(float *p, lane8 a) {
  vst1q_f32(p, a.low);
  vst1q_f32(p + 4, a.high);
}

INLINE lane8 lane8_add(lane8 a, lane8 b) {
  return (lane8){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}

/// Lanes two apart added of two vectors: those of a, then those of b.
INLINE float32x4_t add_two_apart(float32x4_t a, float32x4_t b) {
  return vcombine_f32(
      vadd_f32(vget_low_f32(a), vget_high_f32(a)), vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}

/// Two apart, one apart, four apart.
INLINE float32x4_t four_totals(const lane8 *a, size_t stride) {
  const lane8 b = a[stride], c = a[2 * stride], d = a[3 * stride];
  const float32x4_t low = vpaddq_f32(add_two_apart(a->low, b.low), add_two_apart(c.low, d.low));
  const float32x4_t high = vpaddq_f32(add_two_apart(a->high, b.high), add_two_apart(c.high, d.high));
  return vaddq_f32(low, high);
}

INLINE lane8 lane8_totals(const lane8 *a, size_t stride) {
  return (lane8){four_totals(a, stride), four_totals(a + 4 * stride, stride)};
}

/// The first `bytes` bytes at p, again and again.
INLINE uint8x16_t load_repeated(const uint8_t *p, const int bytes) {
  uint64_t word = 0;
  if (bytes >= 16) return vld1q_u8(p);
  memcpy(&word, p, (size_t)bytes);
  if (bytes == 8) return vreinterpretq_u8_u64(vdupq_n_u64(word));
  return vreinterpretq_u8_u32(vdupq_n_u32((uint32_t)word));
}

/// Sixteen bytes i of the `bits`-wide plane of a chunk of m blocks, their fields moved to bit `at`.
INLINE uint8x16_t plane(const uint8_t *p, const int m, const int i, const int bits, const int at) {
  const int bytes = 4 * m * bits, count = bytes < 16 ? 16 / bytes : 1, vectors = bytes < 16 ? 1 : bytes / 16;
  uint8x16_t v = bytes < 16 ? load_repeated(p, bytes) : vld1q_u8(p + i % vectors * 16);
  int8_t shift[16];
  UNROLL for (int k = 0; k < 16; k++) shift[k] = (int8_t)-((i / vectors * count + k * count / 16) * bits);
  v = vandq_u8(vshlq_u8(v, vld1q_s8(shift)), vdupq_n_u8((uint8_t)((1 << bits) - 1)));
  return at == 0 ? v : vshlq_u8(v, vdupq_n_s8((int8_t)at));
}

/// Sixteen codes i of a chunk, less their offset.
INLINE int8x16_t codes(
    const block_format f, const int m, const int i, const uint8_t *planes, const uint8_t *low) {
  if (f == Q8B32) return vld1q_s8((const int8_t *)planes + 16 * i);
  uint8x16_t v = plane(f == Q8N32 ? low : planes, m, i, 4, 0);
  if (f == Q8N32) v = vorrq_u8(v, plane(planes, m, i, 4, 4));
  if (f == Q6B16) v = vorrq_u8(v, plane(planes + 16 * m, m, i, 2, 4));
  if (f == Q5B32) v = vorrq_u8(v, plane(planes + 16 * m, m, i, 1, 4));
  return vsubq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8((int8_t)code_offset(f)));
}

/// m numbers in f16, one per lane, again and again.
INLINE lane8 load_halves(const uint8_t *p, const int m) {
  uint16_t bits[8];
  UNROLL for (int l = 0; l < 8; l++) memcpy(bits + l, p + l % m * 2, 2);
  const float16x8_t h = vreinterpretq_f16_u16(vld1q_u16(bits));
  return (lane8){vcvt_f32_f16(vget_low_f16(h)), vcvt_f32_f16(vget_high_f16(h))};
}

typedef struct { int32x4_t low, high; } sum8;

/// Sums over vectors first..<end of codes by activations.
INLINE sum8 dot(const int first, const int end, const int8x16_t *code, const uint8_t *x) {
  const int8_t *q = (const int8_t *)x;
  sum8 sum = {vdupq_n_s32(0), vdupq_n_s32(0)};
  UNROLL for (int j = first; j < end; j++) {
    sum.low = vdotq_s32(sum.low, code[2 * j], vld1q_s8(q + 32 * j));
    sum.high = vdotq_s32(sum.high, code[2 * j + 1], vld1q_s8(q + 32 * j + 16));
  }
  return sum;
}

/// Four lanes of what a chunk contributes.
INLINE float32x4_t scaled(
    const block_format f, int32x4_t dot, int32x4_t second_dot, float32x4_t sum, float32x4_t first,
    float32x4_t second) {
  const float32x4_t y = vmulq_f32(vcvtq_f32_s32(dot), first);
  if (f == Q6B16) return vfmaq_f32(y, vcvtq_f32_s32(second_dot), second);
  return has_minimum(f) ? vfmsq_f32(y, second, sum) : y;
}

/// A chunk of one row of weights.
INLINE void add_row(const block_format f, const int m, const chunk part, lane8 *lanes) {
  int8x16_t code[2 * CHUNK_BLOCKS];
  UNROLL for (int i = 0; i < 2 * m; i++) code[i] = codes(f, m, i, part.planes, part.low);
  lane8 first = load_halves(part.parameters, m);
  lane8 second = parameter_bytes(f) == 4 ? load_halves(part.parameters + 2 * m, m) : first;
  if (f == Q4N32) {
    second = (lane8){vmulq_n_f32(first.low, HIGH_MINIMUM), vmulq_n_f32(first.high, HIGH_MINIMUM)};
    first = (lane8){vmulq_n_f32(first.low, HIGH_SCALE), vmulq_n_f32(first.high, HIGH_SCALE)};
  }
  const uint8_t *x = part.x;
  for (size_t s = 0; s < part.rows; s++, x += part.x_stride) {
    const lane8 scale = lane8_load((const float *)(x + scales_at((size_t)m)));
    const lane8 sum = lane8_load((const float *)(x + sums_at((size_t)m)));
    sum8 a, b = {vdupq_n_s32(0), vdupq_n_s32(0)};
    if (f == Q6B16 && m > 1) {
      a = dot(0, m / 2, code, x);
      b = dot(m / 2, m, code, x);
    } else {
      a = dot(0, m, code, x);
      // One vector holds both halves of a block.
      if (f == Q6B16) {
        b.high = a.high;
        a.high = vdupq_n_s32(0);
      }
    }
    const float32x4_t low = scaled(f, a.low, b.low, sum.low, first.low, second.low);
    const float32x4_t high = scaled(f, a.high, b.high, sum.high, first.high, second.high);
    lanes[s].low = vfmaq_f32(lanes[s].low, low, scale.low);
    lanes[s].high = vfmaq_f32(lanes[s].high, high, scale.high);
  }
}

INLINE void add_chunk(const block_format f, const int m, const int group, chunk part, lane8 *lanes) {
  for (int r = 0; r < group; r++) {
    add_row(f, m, part, lanes);
    part.planes += part.w_stride;
    part.parameters += part.w_stride;
    if (f == Q8N32) part.low += part.low_stride;
    lanes += part.rows;
  }
}

TARGET_END

#include "blocks_tile.h"

TARGET_BEGIN
void q8b32_linear__dotprod(const ck_linear_blocks *call) { linear(Q8B32, call); }
void q6b16_linear__dotprod(const ck_linear_blocks *call) { linear(Q6B16, call); }
void q5b32_linear__dotprod(const ck_linear_blocks *call) { linear(Q5B32, call); }
void q4b32_linear__dotprod(const ck_linear_blocks *call) { linear(Q4B32, call); }
void q8n32_linear__dotprod(const ck_linear_blocks *call) { linear(Q8N32, call); }
void q4n32_linear__dotprod(const ck_linear_blocks *call) { linear(Q4N32, call); }
TARGET_END
#endif
