#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

void f32_weighted_sum_1x1__portable(const ck_weighted_sum_f32 *c) {
  for (size_t s = 0; s < c->rows; s++) {
    float *y = c->y + s * c->y_stride;
    for (size_t d = 0; d < c->columns && !c->adds; d++) y[d] = 0;
    for (size_t t = 0; t < c->inner; t++) {
      const float weight = c->p[s * c->p_stride + t], *v = c->v + t * c->v_stride;
      for (size_t d = 0; d < c->columns; d++) y[d] += weight * v[d];
    }
  }
}
