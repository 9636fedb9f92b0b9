/// Numbers in f16, for instruction sets that do not convert them.
#pragma once
#include <stdint.h>
#include <string.h>

#include "CKernels.h"

/// The f16 at p.
static inline float half_at(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  union {
    uint32_t bits;
    float number;
  } u;
  if (exponent == 0) {
    u.number = (float)fraction * 0x1p-24f;
    u.bits |= sign;
  } else {
    u.bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
  }
  return u.number;
}

static inline float half_number(ck_f16 a) { return half_at((const uint8_t *)&a); }

/// x rounded to nearest, ties to even; what lies beyond +-65504, infinities too, becomes that. NaN stays NaN.
static inline ck_f16 half_nearest(float x) {
  union {
    float number;
    uint32_t bits;
  } u = {x};
  const uint32_t sign = u.bits >> 16 & 0x8000;
  u.bits &= 0x7fffffff;
  uint32_t size;
  if (x != x) {
    size = 0x7e00;
  } else if (u.number >= 65504.0f) {
    size = 0x7bff;
  } else if (u.number < 0x1p-14f) {
    // Numbers in 1/2...1 lie 2^-24 apart, as those in f16 below 2^-14 do.
    u.number += 0.5f;
    size = u.bits - 0x3f000000;
  } else {
    size = (u.bits + 0xfff + (u.bits >> 13 & 1) - (112u << 23)) >> 13;
  }
  return (ck_f16){(uint16_t)(sign | size)};
}
