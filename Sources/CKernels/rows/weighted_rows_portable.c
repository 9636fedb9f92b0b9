#include "../simd/half.h"
#include "columns.h"

#pragma STDC FP_CONTRACT OFF

static void weighted_rows(block_format f, const ck_weighted_rows *c) {
  const column_layout l = layout_of(f, c->outputs);
  const size_t stride = ck_column_outputs(c->outputs), shared = shared_columns(f);
  for (size_t s = 0; s < c->rows; s++) {
    float *y = c->y + s * c->y_stride;
    const float *p = c->p + s * c->p_stride;
    memset(y, 0, stride * sizeof *y);
    for (size_t i = c->i0, end; i < c->i1; i = end) {
      const size_t column = (size_t)c->list[i];
      float total = 0;
      memset(c->sums, 0, stride * sizeof *c->sums);
      for (end = i; end < c->i1 && (size_t)c->list[end] / shared == column / shared; end++) {
        const uint8_t *codes = column_codes(l, c->w, (size_t)c->list[end]);
        for (size_t first = 0; first < stride; first += OUTPUTS_OF_CHUNK) {
          int8_t code[OUTPUTS_OF_CHUNK];
          read_chunk(f, codes + first * code_bits(f) / 8, code);
          for (size_t d = 0; d < OUTPUTS_OF_CHUNK; d++) c->sums[first + d] += p[end] * (float)code[d];
        }
        total += p[end];
      }
      const uint8_t *scales = column_scales(f, l, c->w, column), *minima = column_minima(l, c->w, column);
      for (size_t d = 0; d < stride; d++) {
        y[d] += half_at(scales + 2 * d) * c->sums[d];
        if (f == Q4B32) y[d] -= half_at(minima + 2 * d) * total;
      }
    }
  }
}

void q8b32_weighted_rows__portable(const ck_weighted_rows *call) { weighted_rows(Q8B32, call); }
void q6b16_weighted_rows__portable(const ck_weighted_rows *call) { weighted_rows(Q6B16, call); }
void q5b32_weighted_rows__portable(const ck_weighted_rows *call) { weighted_rows(Q5B32, call); }
void q4b32_weighted_rows__portable(const ck_weighted_rows *call) { weighted_rows(Q4B32, call); }

void f32_weighted_rows__portable(const ck_weighted_rows *c) {
  const size_t stride = ck_column_outputs(c->outputs);
  for (size_t s = 0; s < c->rows; s++) {
    float *y = c->y + s * c->y_stride;
    memset(y, 0, stride * sizeof *y);
    for (size_t i = c->i0; i < c->i1; i++) {
      const float *column = (const float *)c->w + (size_t)c->list[i] * stride;
      for (size_t d = 0; d < stride; d++) y[d] += c->p[s * c->p_stride + i] * column[d];
    }
  }
}
