#include "../linear/blocks.h"
#include "../simd/half.h"

#pragma STDC FP_CONTRACT OFF

void q8b32_weighted_rows__portable(const ck_weighted_rows *c) {
  const size_t blocks = row_blocks(c->columns);
  for (size_t s = 0; s < c->rows; s++) {
    float *y = c->y + s * c->y_stride;
    for (size_t first = c->b0, m; first < c->b1; first += m) {
      m = chunk_blocks(c->b1 - first);
      for (size_t b = first; b < first + m; b++) {
        for (size_t e = 0; e < BLOCK && b * BLOCK + e < c->columns; e++) {
          float sum = 0;
          for (size_t i = 0; i < c->count; i++) {
            const uint8_t *row = (const uint8_t *)c->w + (size_t)c->list[i] * c->w_stride;
            const size_t place = (e / 4 * m + (b - first)) * 4 + e % 4;
            const float scale = half_at(row + blocks * BLOCK + b * 2);
            sum += scale * c->p[s * c->p_stride + i] * (float)(int8_t)row[first * BLOCK + place];
          }
          y[b * BLOCK + e] = sum;
        }
      }
    }
  }
}
