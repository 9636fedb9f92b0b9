#include "CKernels.h"

#include <math.h>

#define MAP(name, expression)                                         \
  void f32_##name##__portable(size_t count, const float *x, float *y) { \
    for (size_t i = 0; i < count; i++) {                              \
      const float a = x[i];                                           \
      y[i] = expression;                                              \
    }                                                                 \
  }

/// 1 / (1 + exp(-a)), from the side where exp cannot overflow.
static float sigmoid(float a) {
  float e = expf(-fabsf(a));
  return a < 0 ? e / (1 + e) : 1 / (1 + e);
}

// 2 * sqrt(2 / pi): a * sigmoid(2 u) is a / 2 * (1 + tanh(u)) without cancellation below zero.
static float gelu_tanh(float a) { return a * sigmoid(1.5957691216f * (a + 0.044715f * a * a * a)); }

MAP(exp, expf(a))
MAP(tanh, tanhf(a))
MAP(sigmoid, sigmoid(a))
MAP(silu, a *sigmoid(a))
MAP(gelu, a * 0.5f * erfcf(a * -0.70710678f))
MAP(gelu_tanh, gelu_tanh(a))
