/// Operations on sixteen lanes that every instruction set spells alike; include after its own header.
#pragma once

#include <string.h>

#define JOIN_(a, b) a##__##b
#define JOIN(a, b) JOIN_(a, b)
/// The name of a kernel on this file's instruction set: `NAME(f32_exp)` is `f32_exp__avx2`.
#define NAME(stem) JOIN(stem, ISA)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

TARGET_BEGIN

INLINE lanes lanes_set(float a) {
  lanes y;
  UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_set(a);
  return y;
}
INLINE lanes load(const float *p) {
  lanes y;
  UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_load(p + h * WIDTH);
  return y;
}
INLINE lanes load_f16(const ck_f16 *p) {
  lanes y;
  UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_load_f16(p + h * WIDTH);
  return y;
}
/// The first `count` (1...15) elements, then zeros; reads no others.
INLINE lanes load_part_f16(const ck_f16 *p, size_t count) {
  ck_f16 copy[16] = {0};
  memcpy(copy, p, count * sizeof *p);
  return load_f16(copy);
}
INLINE void store(float *p, lanes a) {
  UNROLL for (int h = 0; h < REGISTERS; h++) reg_store(p + h * WIDTH, a.r[h]);
}
INLINE void store_f16(ck_f16 *p, lanes a) {
  UNROLL for (int h = 0; h < REGISTERS; h++) reg_store_f16(p + h * WIDTH, a.r[h]);
}

#define LANEWISE(name)                        \
  INLINE lanes lanes_##name(lanes a, lanes b) { \
    lanes y;                                  \
    UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_##name(a.r[h], b.r[h]); \
    return y;                                 \
  }
LANEWISE(add)
LANEWISE(mul)
LANEWISE(max)
#undef LANEWISE

INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
  lanes y;
  UNROLL for (int h = 0; h < REGISTERS; h++) y.r[h] = reg_fma(a.r[h], b.r[h], c.r[h]);
  return y;
}

TARGET_END
