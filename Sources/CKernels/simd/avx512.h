/// Sixteen f32 lanes as one AVX-512 register. Include inside a file compiled for AVX-512.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx512bw,avx512vl,avx512dq\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#define INLINE static inline __attribute__((always_inline))

enum { REGISTERS = 1, WIDTH = 16 };
typedef __m512 reg;
typedef struct { reg r[REGISTERS]; } lanes;

TARGET_BEGIN

INLINE reg reg_zero(void) { return _mm512_setzero_ps(); }
INLINE reg reg_set(float a) { return _mm512_set1_ps(a); }
INLINE reg reg_load(const float *p) { return _mm512_loadu_ps(p); }
/// bf16 widened to f32.
INLINE reg reg_load_bf16(const uint16_t *p) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
/// f16 widened to f32.
INLINE reg reg_load_f16(const ck_f16 *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE void reg_store(float *p, reg a) { _mm512_storeu_ps(p, a); }
/// Rounded to nearest, ties to even.
INLINE void reg_store_f16(ck_f16 *p, reg a) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLINE reg reg_add(reg a, reg b) { return _mm512_add_ps(a, b); }
INLINE reg reg_sub(reg a, reg b) { return _mm512_sub_ps(a, b); }
INLINE reg reg_mul(reg a, reg b) { return _mm512_mul_ps(a, b); }
INLINE reg reg_div(reg a, reg b) { return _mm512_div_ps(a, b); }
/// a * b + c
INLINE reg reg_fma(reg a, reg b, reg c) { return _mm512_fmadd_ps(a, b, c); }
/// The second operand when either is NaN.
INLINE reg reg_min(reg a, reg b) { return _mm512_min_ps(a, b); }
INLINE reg reg_max(reg a, reg b) { return _mm512_max_ps(a, b); }
INLINE reg reg_round(reg a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE reg reg_abs(reg a) { return _mm512_abs_ps(a); }
/// a < b ? x : y, per lane
INLINE reg reg_less(reg a, reg b, reg x, reg y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
/// The magnitude of a with the sign of b.
INLINE reg reg_sign(reg a, reg b) {
  reg sign = _mm512_set1_ps(-0.0f);
  return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}
/// a * 2^n for whole n in -252...254, rounded once.
INLINE reg reg_scale(reg a, reg n) { return _mm512_scalef_ps(a, n); }

/// The first `count` (1...15) elements, then zeros; reads no others.
INLINE lanes load_part(const float *p, size_t count) {
  return (lanes){{_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p)}};
}
INLINE void store_part(float *p, lanes a, size_t count) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), a.r[0]);
}

/// The sum of four lanes, pairs two apart first.
INLINE float sum4(__m128 a) {
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
INLINE float lanes_total(lanes a) {
  __m256 s = _mm256_add_ps(_mm512_castps512_ps256(a.r[0]), _mm512_extractf32x8_ps(a.r[0], 1));
  return sum4(_mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
INLINE float lanes_largest(lanes a) {
  __m256 s = _mm256_max_ps(_mm512_castps512_ps256(a.r[0]), _mm512_extractf32x8_ps(a.r[0], 1));
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

TARGET_END
