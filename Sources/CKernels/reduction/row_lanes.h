/// Reductions and scalings of one row; include after simd/lanes.h.
#pragma once

#include "../elementwise/map_lanes.h"

#include <math.h>

TARGET_BEGIN

float NAME(f32_max)(size_t count, const float *x) {
  float largest = -INFINITY;
  size_t i = 0;
  if (count >= 64) {
    // Four chains, so that reading and not the latency of max sets the pace.
    lanes m[4];
    UNROLL for (int j = 0; j < 4; j++) m[j] = load(x + 16 * j);
    for (i = 64; i + 64 <= count; i += 64) {
      UNROLL for (int j = 0; j < 4; j++) m[j] = lanes_max(m[j], load(x + i + 16 * j));
    }
    largest = lanes_largest(lanes_max(lanes_max(m[0], m[1]), lanes_max(m[2], m[3])));
  }
  for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

INLINE lanes lanes_exp_minus(lanes a, lanes bias) {
  UNROLL for (int h = 0; h < REGISTERS; h++) a.r[h] = reg_exp(reg_sub(a.r[h], bias.r[h]));
  return a;
}

float NAME(f32_exp_sum)(size_t count, const float *x, float bias, float *y) {
  const lanes b = lanes_set(bias);
  lanes sum = lanes_set(0);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    lanes e = lanes_exp_minus(load(x + i), b);
    sum = lanes_add(sum, e);
    store(y + i, e);
  }
  if (i < count) {
    // Only the stored lanes count: they are read back with zeros behind them.
    store_part(y + i, lanes_exp_minus(load_part(x + i, count - i), b), count - i);
    sum = lanes_add(sum, load_part(y + i, count - i));
  }
  return lanes_total(sum);
}

void NAME(f32_scale)(size_t count, const float *x, float factor, float *y) {
  const lanes f = lanes_set(factor);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) store(y + i, lanes_mul(load(x + i), f));
  if (i < count) store_part(y + i, lanes_mul(load_part(x + i, count - i), f), count - i);
}

/// Within what f16 holds; NaN stays NaN.
INLINE lanes lanes_clamped_f16(lanes a) {
  const reg least = reg_set(-65504.0f), most = reg_set(65504.0f);
  UNROLL for (int h = 0; h < REGISTERS; h++) a.r[h] = reg_max(least, reg_min(most, a.r[h]));
  return a;
}

void NAME(f16_narrow)(size_t count, const float *x, ck_f16 *y) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) store_f16(y + i, lanes_clamped_f16(load(x + i)));
  if (i < count) {
    ck_f16 last[16];
    store_f16(last, lanes_clamped_f16(load_part(x + i, count - i)));
    memcpy(y + i, last, (count - i) * sizeof *y);
  }
}

void NAME(f32_rms_norm)(size_t count, const float *x, const float *weight, float epsilon, float *y) {
  const size_t whole = count / 16 * 16, rest = count - whole;
  lanes sum = lanes_set(0);
  for (size_t i = 0; i < whole; i += 16) {
    lanes a = load(x + i);
    sum = lanes_fma(a, a, sum);
  }
  if (rest > 0) {
    lanes a = load_part(x + whole, rest);
    sum = lanes_fma(a, a, sum);
  }
  const lanes factor = lanes_set(1.0f / sqrtf(lanes_total(sum) / (float)count + epsilon));
  for (size_t i = 0; i < whole; i += 16) {
    lanes a = lanes_mul(load(x + i), factor);
    store(y + i, weight ? lanes_mul(a, load(weight + i)) : a);
  }
  if (rest > 0) {
    lanes a = lanes_mul(load_part(x + whole, rest), factor);
    store_part(y + whole, weight ? lanes_mul(a, load_part(weight + whole, rest)) : a, rest);
  }
}

TARGET_END
