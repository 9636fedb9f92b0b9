/// Sixteen f32 lanes as two AVX registers. Include inside a file compiled for AVX2 and FMA.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#define INLINE static inline __attribute__((always_inline))

enum { REGISTERS = 2, WIDTH = 8 };
typedef __m256 reg;
typedef struct { reg r[REGISTERS]; } lanes;

TARGET_BEGIN

INLINE reg reg_zero(void) { return _mm256_setzero_ps(); }
INLINE reg reg_set(float a) { return _mm256_set1_ps(a); }
INLINE reg reg_load(const float *p) { return _mm256_loadu_ps(p); }
/// bf16 widened to f32.
INLINE reg reg_load_bf16(const uint16_t *p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
/// f16 widened to f32.
INLINE reg reg_load_f16(const ck_f16 *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE void reg_store(float *p, reg a) { _mm256_storeu_ps(p, a); }
/// Rounded to nearest, ties to even.
INLINE void reg_store_f16(ck_f16 *p, reg a) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
INLINE reg reg_add(reg a, reg b) { return _mm256_add_ps(a, b); }
INLINE reg reg_sub(reg a, reg b) { return _mm256_sub_ps(a, b); }
INLINE reg reg_mul(reg a, reg b) { return _mm256_mul_ps(a, b); }
INLINE reg reg_div(reg a, reg b) { return _mm256_div_ps(a, b); }
/// a * b + c
INLINE reg reg_fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
/// The second operand when either is NaN.
INLINE reg reg_min(reg a, reg b) { return _mm256_min_ps(a, b); }
INLINE reg reg_max(reg a, reg b) { return _mm256_max_ps(a, b); }
INLINE reg reg_round(reg a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE reg reg_abs(reg a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
/// a < b ? x : y, per lane
INLINE reg reg_less(reg a, reg b, reg x, reg y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
/// The magnitude of a with the sign of b.
INLINE reg reg_sign(reg a, reg b) {
  return _mm256_or_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a), _mm256_and_ps(_mm256_set1_ps(-0.0f), b));
}
/// a * 2^n for whole n in -252...254. Two steps, so that a subnormal result is rounded once.
INLINE reg reg_scale(reg a, reg n) {
  __m256i k = _mm256_cvtps_epi32(n), low = _mm256_srai_epi32(k, 1), high = _mm256_sub_epi32(k, low);
  __m256i bias = _mm256_set1_epi32(127);
  a = _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(low, bias), 23)));
  return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(high, bias), 23)));
}

/// All ones in the first `count` of 8 lanes.
INLINE __m256i first_lanes(ptrdiff_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
/// The first `count` (1...15) elements, then zeros; reads no others.
INLINE lanes load_part(const float *p, size_t count) {
  ptrdiff_t n = (ptrdiff_t)count;
  return (lanes){{
      _mm256_maskload_ps(p, first_lanes(n)),
      n > 8 ? _mm256_maskload_ps(p + 8, first_lanes(n - 8)) : _mm256_setzero_ps(),
  }};
}
INLINE void store_part(float *p, lanes a, size_t count) {
  ptrdiff_t n = (ptrdiff_t)count;
  _mm256_maskstore_ps(p, first_lanes(n), a.r[0]);
  if (n > 8) _mm256_maskstore_ps(p + 8, first_lanes(n - 8), a.r[1]);
}

/// The sum of four lanes, pairs two apart first.
INLINE float sum4(__m128 a) {
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
INLINE float lanes_total(lanes a) {
  reg s = reg_add(a.r[0], a.r[1]);
  return sum4(_mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
INLINE float lanes_largest(lanes a) {
  reg s = reg_max(a.r[0], a.r[1]);
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

TARGET_END
