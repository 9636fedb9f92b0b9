#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define TARGET_END _Pragma("clang attribute pop")
#define lane8 __m256
#define lane8_load(p) _mm256_loadu_ps(p)
#define lane8_store(p, a) _mm256_storeu_ps(p, a)
#define lane8_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define lane8_halves(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#define lane8_codes(p) _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p))))
#define lane8_set(a) _mm256_set1_ps(a)
#define lane8_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#include "weighted_rows.h"

TARGET_BEGIN
void q8b32_weighted_rows__avx2(const ck_weighted_rows *call) { weighted_rows(Q8B32, call); }
void q6b16_weighted_rows__avx2(const ck_weighted_rows *call) { weighted_rows(Q6B16, call); }
void q5b32_weighted_rows__avx2(const ck_weighted_rows *call) { weighted_rows(Q5B32, call); }
void q4b32_weighted_rows__avx2(const ck_weighted_rows *call) { weighted_rows(Q4B32, call); }
void f32_weighted_rows__avx2(const ck_weighted_rows *call) { weighted_rows_f32(call); }
TARGET_END
#endif
