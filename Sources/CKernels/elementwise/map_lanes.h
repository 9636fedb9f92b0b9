/// Functions of each element on sixteen lanes; include after simd/lanes.h.
///
/// Error bounds are in units in the last place of the exact result, over all inputs unless an interval is
/// given; the tests measure them. NaN gives NaN.
#pragma once

#include "CKernels.h"

TARGET_BEGIN

/// exp(a), at most 1.25 ulp.
///
/// 1. n = round(a / ln 2), r = a - n ln 2, with ln 2 in two parts (Cody and Waite), so |r| <= 0.35.
/// 2. exp(r) by a polynomial of degree 7 (expf of Moshier's Cephes library, for |r| <= ln(2) / 2).
/// 3. Scaled by 2^n; outside -104...89 the result is 0 or infinity, where inputs are clamped.
INLINE reg reg_exp(reg a) {
  a = reg_max(reg_set(-104.0f), reg_min(reg_set(89.0f), a));
  const reg n = reg_round(reg_mul(a, reg_set(1.44269504f)));
  reg r = reg_fma(n, reg_set(-0.693359375f), a);
  r = reg_fma(n, reg_set(2.12194440e-4f), r);
  reg p = reg_set(1.9875691500e-4f);
  p = reg_fma(p, r, reg_set(1.3981999507e-3f));
  p = reg_fma(p, r, reg_set(8.3334519073e-3f));
  p = reg_fma(p, r, reg_set(4.1665795894e-2f));
  p = reg_fma(p, r, reg_set(1.6666665459e-1f));
  p = reg_fma(p, r, reg_set(5.0000001201e-1f));
  p = reg_add(reg_fma(p, reg_mul(r, r), r), reg_set(1.0f));
  return reg_scale(p, n);
}

/// tanh(a), at most 1.5 ulp: an odd polynomial below 0.625 (tanhf of Cephes), else 1 - 2 / (exp(2|a|) + 1).
INLINE reg reg_tanh(reg a) {
  const reg one = reg_set(1.0f), size = reg_abs(a), z = reg_mul(a, a);
  reg p = reg_set(-5.70498872745e-3f);
  p = reg_fma(p, z, reg_set(2.06390887954e-2f));
  p = reg_fma(p, z, reg_set(-5.37397155531e-2f));
  p = reg_fma(p, z, reg_set(1.33314422036e-1f));
  p = reg_fma(p, z, reg_set(-3.33332819422e-1f));
  p = reg_fma(reg_mul(p, z), a, a);
  const reg e = reg_add(reg_exp(reg_add(size, size)), one);
  const reg far = reg_sign(reg_sub(one, reg_div(reg_set(2.0f), e)), a);
  return reg_less(size, reg_set(0.625f), p, far);
}

/// 1 / (1 + exp(-a)), at most 3 ulp.
INLINE reg reg_sigmoid(reg a) {
  const reg zero = reg_zero();
  const reg e = reg_exp(reg_sub(zero, reg_abs(a)));
  const reg q = reg_div(reg_set(1.0f), reg_add(e, reg_set(1.0f)));
  return reg_less(a, zero, reg_mul(e, q), q);
}

/// a * sigmoid(a), at most 4 ulp from -87 on; below, 1e-42 in absolute terms.
INLINE reg reg_silu(reg a) { return reg_mul(a, reg_sigmoid(a)); }

/// a / 2 * (1 + erf(a / sqrt 2)), at most 8 ulp from -13 on; below, 1e-42 in absolute terms.
///
/// The normal distribution's tail below -|a| is t Q(t) exp(-a^2 / 2) with t = 1 / (1 + |a| / sqrt 8). Q is
/// the relative minimax polynomial of degree 9 (Lawson iteration, own computation) of erfc(z) exp(z^2) / (2
/// t) on z = |a| / sqrt 2 in 0...10.2; its relative error in f32 is 1.3e-7.
INLINE reg reg_gelu(reg a) {
  const reg one = reg_set(1.0f), half = reg_set(-0.5f);
  const reg size = reg_min(reg_abs(a), reg_set(14.5f));
  const reg t = reg_div(one, reg_fma(size, reg_set(0.353553391f), one));
  reg q = reg_set(0.005841746926307678f);
  q = reg_fma(q, t, reg_set(-0.060033250600099564f));
  q = reg_fma(q, t, reg_set(0.21081256866455078f));
  q = reg_fma(q, t, reg_set(-0.3302883505821228f));
  q = reg_fma(q, t, reg_set(0.20684760808944702f));
  q = reg_fma(q, t, reg_set(-0.04720872640609741f));
  q = reg_fma(q, t, reg_set(0.112129345536232f));
  q = reg_fma(q, t, reg_set(0.11945215612649918f));
  q = reg_fma(q, t, reg_set(0.14141392707824707f));
  q = reg_fma(q, t, reg_set(0.14103294909000397f));
  // exp(-(h + l)) with h + l = size^2 / 2 exactly, so that the square's rounding does not count |a|^2 times.
  const reg square = reg_mul(size, size);
  const reg low = reg_fma(size, size, reg_sub(reg_zero(), square));
  const reg e = reg_exp(reg_mul(square, half));
  const reg tail = reg_mul(reg_mul(t, q), reg_fma(e, reg_mul(low, half), e));
  return reg_mul(a, reg_less(a, reg_zero(), tail, reg_sub(one, tail)));
}

/// a / 2 * (1 + tanh(u)) = a * sigmoid(2 u), u = sqrt(2 / pi) * (a + 0.044715 a^3); at most 10 ulp from -2
/// on; below, 3e-8 in absolute terms, as rounding of u is magnified.
INLINE reg reg_gelu_tanh(reg a) {
  const reg size = reg_max(reg_set(-16.0f), a);
  const reg inner = reg_fma(reg_mul(reg_mul(size, size), size), reg_set(0.044715f), size);
  return reg_mul(a, reg_sigmoid(reg_mul(inner, reg_set(1.5957691216f))));
}

#define MAP(name)                                                          \
  void NAME(f32_##name)(size_t count, const float *x, float *y) {          \
    size_t i = 0;                                                          \
    for (; i + 16 <= count; i += 16) {                                     \
      UNROLL for (int h = 0; h < REGISTERS; h++) {                         \
        reg_store(y + i + h * WIDTH, reg_##name(reg_load(x + i + h * WIDTH))); \
      }                                                                    \
    }                                                                      \
    if (i < count) {                                                       \
      lanes a = load_part(x + i, count - i);                               \
      UNROLL for (int h = 0; h < REGISTERS; h++) a.r[h] = reg_##name(a.r[h]); \
      store_part(y + i, a, count - i);                                     \
    }                                                                      \
  }

TARGET_END
