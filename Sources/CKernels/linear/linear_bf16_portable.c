#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };

static float widened(uint16_t w) {
  union {
    uint32_t bits;
    float number;
  } u = {(uint32_t)w << 16};
  return u.number;
}

/// x . w over `inner` elements in the lanes and the tree that `ck_linear_f32` documents.
static float dot(const float *x, const uint16_t *w, size_t inner) {
  float lane[LANES] = {0};
  for (size_t k = 0; k < inner; k++) lane[k % LANES] += x[k] * widened(w[k]);
  for (size_t step = LANES / 2; step > 0; step /= 2)
    for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
  return lane[0];
}

void bf16_linear_1x1__portable(const ck_linear_bf16 *c) {
  for (size_t n = c->n0; n < c->n1; n++) {
    for (size_t s = 0; s < c->rows; s++) {
      float sum = dot(c->x + s * c->x_stride, c->w + n * c->w_stride, c->inner);
      c->y[s * c->y_stride + n] = c->bias ? sum + c->bias[n] : sum;
    }
  }
}
