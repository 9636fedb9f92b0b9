/// Sums of columns in a format of blocks with weights, on any instruction set; `columns.h` draws the layout.
///
/// The includer defines, for vectors `lane8` of 8 f32 lanes: `lane8_load`, `lane8_store`, `lane8_set(a)`, eight times
/// a, `lane8_fma(a, b, c)` = a b + c, `lane8_fnma(a, b, c)` = c - a b, `lane8_halves(p)`, 8 numbers of f16, and
/// `lane8_codes(p)`, 8 int8 as f32.
///
/// Columns that share their scales are added up in `sums`, which lie in the first-level cache, BAND at a time: few
/// streams for memory, and sums are loaded and stored once for all of them.
#pragma once
#include "columns.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

enum { BAND = 4, LANES = 8, CHUNK_VECTORS = OUTPUTS_OF_CHUNK / LANES };

TARGET_BEGIN

/// Adds the columns at places i..<i + count of the list, 1 or BAND, to the sums of `rows` rows.
///
/// Lines of the columns a band further on are asked for chunk by chunk, while this band is added up: as many at once
/// as columns have would fill the queue of misses, and wait there.
INLINE void add_band(
    const block_format f, const ck_weighted_rows *c, column_layout l, size_t i, const int count, const size_t rows) {
  const size_t bytes = code_bits(f) * OUTPUTS_OF_CHUNK / 8, stride = ck_column_outputs(c->outputs);
  const uint8_t *codes[BAND];
  ptrdiff_t ahead[BAND];
  lane8 own[BAND];
  UNROLL for (int r = 0; r < count; r++) {
    const size_t place = i + (size_t)r, next = place + BAND < c->i1 ? place + BAND : place;
    codes[r] = column_codes(l, c->w, (size_t)c->list[place]);
    ahead[r] = column_codes(l, c->w, (size_t)c->list[next]) - codes[r];
    own[r] = lane8_set(c->p[place]);
  }
  for (size_t first = 0; first < stride; first += OUTPUTS_OF_CHUNK) {
    int8_t code[BAND][OUTPUTS_OF_CHUNK];
    UNROLL for (int r = 0; r < count; r++) {
      __builtin_prefetch(codes[r] + ahead[r]);
      if (f != Q8B32) read_chunk(f, codes[r], code[r]);
    }
    UNROLL for (int v = 0; v < CHUNK_VECTORS; v++) {
      float *sums = c->sums + first + LANES * v;
      lane8 number[BAND];
      UNROLL for (int r = 0; r < count; r++) {
        number[r] = lane8_codes((f == Q8B32 ? (const int8_t *)codes[r] : code[r]) + LANES * v);
      }
      lane8 sum = lane8_load(sums);
      UNROLL for (int r = 0; r < count; r++) sum = lane8_fma(own[r], number[r], sum);
      lane8_store(sums, sum);
      for (size_t s = 1; s < rows; s++) {
        const float *p = c->p + s * c->p_stride + i;
        sum = lane8_load(sums + s * stride);
        UNROLL for (int r = 0; r < count; r++) sum = lane8_fma(lane8_set(p[r]), number[r], sum);
        lane8_store(sums + s * stride, sum);
      }
    }
    UNROLL for (int r = 0; r < count; r++) codes[r] += bytes;
  }
}

/// Adds the scaled sums of columns i..<end of the list to y.
INLINE void add_scaled(const block_format f, const ck_weighted_rows *c, column_layout l, size_t i, size_t end) {
  const size_t column = (size_t)c->list[i], stride = ck_column_outputs(c->outputs);
  const uint8_t *scales = column_scales(f, l, c->w, column), *minima = column_minima(l, c->w, column);
  for (size_t s = 0; s < c->rows; s++) {
    float total = 0, *y = c->y + s * c->y_stride;
    const float *sums = c->sums + s * stride;
    for (size_t j = i; f == Q4B32 && j < end; j++) total += c->p[s * c->p_stride + j];
    const lane8 all = lane8_set(total);
    for (size_t d = 0; d < stride; d += LANES) {
      lane8 number = lane8_fma(lane8_halves(scales + 2 * d), lane8_load(sums + d), lane8_load(y + d));
      if (f == Q4B32) number = lane8_fnma(lane8_halves(minima + 2 * d), all, number);
      lane8_store(y + d, number);
    }
  }
}

/// Adds the f32 columns at places i..<i + count of the list, 1 or BAND, to y.
INLINE void add_band_f32(const ck_weighted_rows *c, size_t i, const int count) {
  const size_t stride = ck_column_outputs(c->outputs);
  const float *columns[BAND];
  ptrdiff_t ahead[BAND];
  UNROLL for (int r = 0; r < count; r++) {
    const size_t place = i + (size_t)r, next = place + BAND < c->i1 ? place + BAND : place;
    columns[r] = (const float *)c->w + (size_t)c->list[place] * stride;
    ahead[r] = (const float *)c->w + (size_t)c->list[next] * stride - columns[r];
  }
  for (size_t d = 0; d < stride; d += LANES) {
    lane8 number[BAND];
    UNROLL for (int r = 0; r < count; r++) {
      if (d % (2 * LANES) == 0) __builtin_prefetch(columns[r] + ahead[r] + d);
      number[r] = lane8_load(columns[r] + d);
    }
    for (size_t s = 0; s < c->rows; s++) {
      const float *p = c->p + s * c->p_stride + i;
      float *y = c->y + s * c->y_stride + d;
      lane8 sum = lane8_load(y);
      UNROLL for (int r = 0; r < count; r++) sum = lane8_fma(lane8_set(p[r]), number[r], sum);
      lane8_store(y, sum);
    }
  }
}

INLINE void weighted_rows_f32(const ck_weighted_rows *c) {
  const size_t stride = ck_column_outputs(c->outputs);
  for (size_t s = 0; s < c->rows; s++) memset(c->y + s * c->y_stride, 0, stride * sizeof *c->y);
  size_t i = c->i0;
  for (; i + BAND <= c->i1; i += BAND) add_band_f32(c, i, BAND);
  for (; i < c->i1; i++) add_band_f32(c, i, 1);
}

INLINE void weighted_rows(const block_format f, const ck_weighted_rows *c) {
  const column_layout l = layout_of(f, c->outputs);
  const size_t stride = ck_column_outputs(c->outputs), shared = shared_columns(f);
  for (size_t s = 0; s < c->rows; s++) memset(c->y + s * c->y_stride, 0, stride * sizeof *c->y);
  for (size_t i = c->i0, end; i < c->i1; i = end) {
    const size_t group = (size_t)c->list[i] / shared;
    for (end = i + 1; end < c->i1 && (size_t)c->list[end] / shared == group;) end++;
    memset(c->sums, 0, c->rows * stride * sizeof *c->sums);
    size_t j = i;
    if (c->rows == 1) {
      for (; j + BAND <= end; j += BAND) add_band(f, c, l, j, BAND, 1);
      for (; j < end; j++) add_band(f, c, l, j, 1, 1);
    } else {
      for (; j + BAND <= end; j += BAND) add_band(f, c, l, j, BAND, c->rows);
      for (; j < end; j++) add_band(f, c, l, j, 1, c->rows);
    }
    add_scaled(f, c, l, i, end);
  }
}

TARGET_END
