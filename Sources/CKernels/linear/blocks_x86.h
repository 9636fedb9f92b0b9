/// What AVX2 and AVX-512 kernels of products in blocks share: planes, parameters and lanes in 256-bit
/// registers. Include after TARGET_BEGIN and TARGET_END are defined.
#pragma once
#include <immintrin.h>
#include <string.h>

#include "blocks.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

TARGET_BEGIN

typedef __m256 lane8;

/// Zeros that the compiler does not see through, or it would make loops that store them into calls of memset.
INLINE lane8 lane8_zero(void) {
  lane8 zero = _mm256_setzero_ps();
  __asm__("" : "+x"(zero));
  return zero;
}

INLINE lane8 lane8_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void lane8_store(float *p, lane8 a) { _mm256_storeu_ps(p, a); }
INLINE lane8 lane8_add(lane8 a, lane8 b) { return _mm256_add_ps(a, b); }

/// Lanes two apart added, and one apart, of two vectors each.
INLINE lane8 add_two_apart(lane8 a, lane8 b) {
  return _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
}
INLINE lane8 add_one_apart(lane8 a, lane8 b) {
  return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
}

INLINE lane8 lane8_totals(const lane8 *a, size_t stride) {
  lane8 pair[4];
  UNROLL for (int i = 0; i < 4; i++) pair[i] = add_two_apart(a[2 * i * stride], a[(2 * i + 1) * stride]);
  const lane8 p = add_one_apart(pair[0], pair[1]), q = add_one_apart(pair[2], pair[3]);
  return _mm256_add_ps(_mm256_permute2f128_ps(p, q, 0x20), _mm256_permute2f128_ps(p, q, 0x31));
}

INLINE __m256i load256(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

/// The first `bytes` bytes at p, again and again.
INLINE __m256i load_repeated(const uint8_t *p, const int bytes) {
  uint64_t word = 0;
  switch (bytes) {
    case 16: return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    case 8: memcpy(&word, p, 8); return _mm256_set1_epi64x((long long)word);
    case 4: memcpy(&word, p, 4); return _mm256_set1_epi32((int)word);
    default: return load256(p);
  }
}

/// Vector j of the `bits`-wide plane of a chunk of m blocks, its fields moved to bit `at` of every byte.
INLINE __m256i plane(const uint8_t *p, const int m, const int j, const int bits, const int at) {
  const int bytes = 4 * m * bits;
  const __m256i mask = _mm256_set1_epi8((char)(((1 << bits) - 1) << at));
  if (bytes >= 32) {
    const int vectors = bytes / 32, shift = j / vectors * bits - at;
    __m256i v = load256(p + j % vectors * 32);
    if (shift > 0) v = _mm256_srli_epi16(v, shift);
    if (shift < 0) v = _mm256_slli_epi16(v, -shift);
    return _mm256_and_si256(v, mask);
  }
  // A vector is several fields of the same few bytes.
  const int first = j * (32 / bytes) * bits;
  __m256i v = load_repeated(p, bytes);
  switch (bytes) {
    case 16: v = _mm256_srlv_epi64(v, _mm256_setr_epi64x(first, first, first + bits, first + bits)); break;
    case 8:
      v = _mm256_srlv_epi64(v, _mm256_setr_epi64x(first, first + bits, first + 2 * bits, first + 3 * bits));
      break;
    default:
      v = _mm256_srlv_epi32(
          v, _mm256_add_epi32(
                 _mm256_set1_epi32(first),
                 _mm256_mullo_epi32(_mm256_set1_epi32(bits), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))));
  }
  v = _mm256_and_si256(v, _mm256_set1_epi8((char)((1 << bits) - 1)));
  return at == 0 ? v : _mm256_slli_epi16(v, at);
}

/// Vector j of the codes of a chunk.
INLINE __m256i codes(
    const block_format f, const int m, const int j, const uint8_t *planes, const uint8_t *low) {
  switch (f) {
    case Q8B32: return load256(planes + 32 * j);
    case Q6B16: return _mm256_or_si256(plane(planes, m, j, 4, 0), plane(planes + 16 * m, m, j, 2, 4));
    case Q5B32: return _mm256_or_si256(plane(planes, m, j, 4, 0), plane(planes + 16 * m, m, j, 1, 4));
    case Q8N32: return _mm256_or_si256(plane(low, m, j, 4, 0), plane(planes, m, j, 4, 4));
    case Q4B32:
    case Q4N32: return plane(planes, m, j, 4, 0);
  }
}

/// m numbers in f16, one per lane, again and again.
INLINE lane8 load_halves(const uint8_t *p, const int m) {
  uint64_t word = 0;
  switch (m) {
    case 8: return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    case 4: memcpy(&word, p, 8); return _mm256_cvtph_ps(_mm_set1_epi64x((long long)word));
    case 2: memcpy(&word, p, 4); return _mm256_cvtph_ps(_mm_set1_epi32((int)word));
    default: memcpy(&word, p, 2); return _mm256_cvtph_ps(_mm_set1_epi16((short)word));
  }
}

/// Scales of the lanes in the first and in the second half of a chunk, and minima.
typedef struct { lane8 first, second; } parameters8;

INLINE parameters8 load_parameters(const block_format f, const int m, const uint8_t *p) {
  parameters8 y = {load_halves(p, m), _mm256_setzero_ps()};
  if (parameter_bytes(f) == 4) y.second = load_halves(p + 2 * m, m);
  if (f == Q4N32) {
    y.second = _mm256_mul_ps(y.first, _mm256_set1_ps(HIGH_MINIMUM));
    y.first = _mm256_mul_ps(y.first, _mm256_set1_ps(HIGH_SCALE));
  }
  return y;
}

/// Adds what a chunk contributes to lanes: `dot` holds the sums of products of its first and second half, or
/// of both in dot[0] for formats with one scale per block.
INLINE lane8 add_scaled(
    const block_format f, const int m, const __m256i *dot, const parameters8 p, const uint8_t *x,
    const lane8 lanes) {
  const lane8 scale = _mm256_loadu_ps((const float *)(x + scales_at((size_t)m)));
  lane8 y = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[0]), p.first);
  if (f == Q6B16) y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[1]), p.second, y);
  if (has_minimum(f)) {
    y = _mm256_fnmadd_ps(p.second, _mm256_loadu_ps((const float *)(x + sums_at((size_t)m))), y);
  }
  return _mm256_fmadd_ps(y, scale, lanes);
}

TARGET_END
