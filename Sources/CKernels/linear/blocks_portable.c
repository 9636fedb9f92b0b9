#include <string.h>

#include "../simd/half.h"
#include "blocks.h"

#pragma STDC FP_CONTRACT OFF

/// The codes of a chunk by place.
static void read_codes(
    block_format f, size_t m, const uint8_t *planes, const uint8_t *low, uint8_t *code) {
  static const uint8_t widths[][2] = {
      [Q8B32] = {8, 0}, [Q6B16] = {4, 2}, [Q5B32] = {4, 1}, [Q4B32] = {4, 0}, [Q8N32] = {4, 4},
      [Q4N32] = {4, 0}};
  const size_t count = 32 * m;
  memset(code, 0, count);
  for (size_t plane = 0, shift = 0; plane < 2; plane++) {
    const size_t width = widths[f][plane], bytes = count * width / 8;
    const uint8_t *p = f == Q8N32 && plane == 0 ? low : planes;
    for (size_t i = 0; width > 0 && i < count; i++) {
      code[i] |= (p[i % bytes] >> (i / bytes * width) & ((1 << width) - 1)) << shift;
    }
    shift += width;
    if (p == planes) planes += bytes;
  }
}

/// Sums of products of codes and activations over the lanes of one half of a chunk.
static void dots(block_format f, size_t m, size_t half, const uint8_t *code, const int8_t *x, float *sum) {
  int32_t lane[CHUNK_LANES] = {0};
  for (size_t i = 16 * m * half; i < 16 * m * (half + 1); i++) {
    lane[i / 4 % CHUNK_LANES] += (f == Q8B32 ? (int8_t)code[i] : code[i] - code_offset(f)) * x[i];
  }
  for (size_t l = 0; l < CHUNK_LANES; l++) sum[l] = (float)lane[l];
}

/// Adds the products of one chunk to the lanes of an output.
static void add_chunk(
    block_format f, size_t m, const uint8_t *code, const uint8_t *parameters, const uint8_t *x, float *lane) {
  const int8_t *q = (const int8_t *)x;
  const float *scale = (const float *)(x + scales_at(m));
  const float *sum = (const float *)(x + sums_at(m));
  float dot[2][CHUNK_LANES];
  for (size_t half = 0; half < 2; half++) dots(f, m, half, code, q, dot[half]);
  for (size_t l = 0; l < CHUNK_LANES; l++) {
    float first = half_at(parameters + l % m * 2);
    float second = parameter_bytes(f) == 2 ? 0 : half_at(parameters + (m + l % m) * 2);
    if (f == Q4N32) second = first * HIGH_MINIMUM, first *= HIGH_SCALE;
    float y = (dot[0][l] + dot[1][l]) * first;
    if (f == Q6B16) y = dot[0][l] * first + dot[1][l] * second;
    if (has_minimum(f)) y -= second * sum[l];
    lane[l] += y * scale[l];
  }
}

/// Lanes added 2 apart, then 1 apart, then 4 apart.
static float total(const float *lane) {
  float pair[4];
  for (size_t i = 0; i < 4; i++) pair[i] = lane[i / 2 * 4 + i % 2] + lane[i / 2 * 4 + i % 2 + 2];
  return (pair[0] + pair[1]) + (pair[2] + pair[3]);
}

static void linear(const ck_linear_blocks *c, block_format f) {
  const size_t blocks = row_blocks(c->inner);
  for (size_t n = c->n0; n < c->n1; n++) {
    float lanes[CK_BLOCK_ROWS][CHUNK_LANES] = {{0}};
    const size_t row = c->list ? (size_t)c->list[n] : n;
    const uint8_t *planes = (const uint8_t *)c->w + row * c->w_stride;
    const uint8_t *parameters = planes + blocks * code_bytes(f), *x = c->x;
    const uint8_t *low = low_bytes(f) ? (const uint8_t *)c->low + row * blocks * low_bytes(f) : NULL;
    for (size_t first = 0, m; first < blocks; first += m) {
      uint8_t code[CHUNK_BLOCKS * BLOCK];
      m = chunk_blocks(blocks - first);
      read_codes(f, m, planes, low, code);
      for (size_t s = 0; s < c->rows; s++) add_chunk(f, m, code, parameters, x + s * c->x_stride, lanes[s]);
      planes += m * code_bytes(f);
      if (low) low += m * low_bytes(f);
      parameters += m * parameter_bytes(f);
      x += chunk_bytes(m);
    }
    for (size_t s = 0; s < c->rows; s++) {
      c->y[s * c->y_stride + n] = total(lanes[s]) + (c->bias ? c->bias[row] : 0.0f);
    }
  }
}

void q8b32_linear__portable(const ck_linear_blocks *call) { linear(call, Q8B32); }
void q6b16_linear__portable(const ck_linear_blocks *call) { linear(call, Q6B16); }
void q5b32_linear__portable(const ck_linear_blocks *call) { linear(call, Q5B32); }
void q4b32_linear__portable(const ck_linear_blocks *call) { linear(call, Q4B32); }
void q8n32_linear__portable(const ck_linear_blocks *call) { linear(call, Q8N32); }
void q4n32_linear__portable(const ck_linear_blocks *call) { linear(call, Q4N32); }
