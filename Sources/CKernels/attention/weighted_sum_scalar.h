/// The sums one number at a time, as their definition says. CALL is the type of the operands, NUMBER(v) an
/// element of v as f32.
#pragma once

#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

static void weighted_sum(const CALL *c) {
  for (size_t s = 0; s < c->rows; s++) {
    float *y = c->y + s * c->y_stride;
    for (size_t d = 0; d < c->columns && !c->adds; d++) y[d] = 0;
    for (size_t t = 0; t < c->inner; t++) {
      const float weight = c->p[s * c->p_stride + t];
      const __typeof__(*c->v) *v = c->v + t * c->v_stride;
      for (size_t d = 0; d < c->columns; d++) y[d] += weight * NUMBER(v[d]);
    }
  }
}
