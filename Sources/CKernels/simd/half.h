/// Numbers in f16, for instruction sets that do not convert them.
#pragma once
#include <stdint.h>
#include <string.h>

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
