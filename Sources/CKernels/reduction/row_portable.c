#include <math.h>

#include "../simd/half.h"

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };

/// Lanes added in a tree: 8 apart, then 4, 2 and 1 apart.
static float total(float lane[LANES]) {
  for (size_t step = LANES / 2; step > 0; step /= 2)
    for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
  return lane[0];
}

float f32_max__portable(size_t count, const float *x) {
  float largest = -INFINITY;
  for (size_t i = 0; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

float f32_exp_sum__portable(size_t count, const float *x, float bias, float *y) {
  float lane[LANES] = {0};
  for (size_t i = 0; i < count; i++) {
    y[i] = expf(x[i] - bias);
    lane[i % LANES] += y[i];
  }
  return total(lane);
}

void f32_scale__portable(size_t count, const float *x, float factor, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = x[i] * factor;
}

void f16_narrow__portable(size_t count, const float *x, ck_f16 *y) {
  for (size_t i = 0; i < count; i++) y[i] = half_nearest(x[i]);
}

void f32_rms_norm__portable(size_t count, const float *x, const float *weight, float epsilon, float *y) {
  float lane[LANES] = {0};
  for (size_t i = 0; i < count; i++) lane[i % LANES] += x[i] * x[i];
  const float factor = 1.0f / sqrtf(total(lane) / (float)count + epsilon);
  for (size_t i = 0; i < count; i++) y[i] = weight ? x[i] * factor * weight[i] : x[i] * factor;
}
