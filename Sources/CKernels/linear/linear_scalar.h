/// The product one output at a time, as its definition says. CALL is the type of the operands, NUMBER(w) a
/// weight as f32.
#pragma once

#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };

/// x . w over `inner` elements in the lanes and the tree that `ck_linear_f32` documents.
static float dot(const float *x, const __typeof__(*((CALL *)0)->w) *w, size_t inner) {
  float lane[LANES] = {0};
  size_t k = 0;
  for (; k + LANES <= inner; k += LANES)
    for (size_t l = 0; l < LANES; l++) lane[l] += x[k + l] * NUMBER(w[k + l]);
  for (size_t l = 0; k + l < inner; l++) lane[l] += x[k + l] * NUMBER(w[k + l]);
  for (size_t step = LANES / 2; step > 0; step /= 2)
    for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
  return lane[0];
}

static void linear(const CALL *c) {
  for (size_t n = c->n0; n < c->n1; n++) {
    for (size_t s = 0; s < c->rows; s++) {
      float sum = dot(c->x + s * c->x_stride, c->w + n * c->w_stride, c->inner);
      c->y[s * c->y_stride + n] = c->bias ? sum + c->bias[n] : sum;
    }
  }
}
