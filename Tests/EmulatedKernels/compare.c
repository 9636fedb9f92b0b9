// Compares every kernel of this build's architecture with the portable one of its family: `compare ISA...`.
//
// For instruction sets that no machine at hand has: built for another architecture it runs in an emulator, where the
// tests in Swift do not. Those hold more; `make check-arm` says only that these kernels compute what they should.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../Sources/CKernels/linear/blocks.h"
#include "../../Sources/CKernels/rows/columns.h"

enum { MOST = 1 << 20 };

static float x[MOST], y[2][MOST], scratch[MOST];
static uint8_t weights[4 * MOST], quantized[MOST];
static const ck_kernel *kernels[2];  // the portable one, and the one under test
static uint64_t state = 1;
static int failures, comparisons;

static uint32_t number(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 32);
}
static float uniform(void) { return (float)(int32_t)number() / 0x1p31f; }
/// The bits of an f16 between 2^-8 and 2^-6.
static uint16_t half(void) { return (uint16_t)(0x1c00 | (number() & 0x7ff)); }

static void fill_halves(uint8_t *p, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const uint16_t bits = half();
    memcpy(p + 2 * i, &bits, 2);
  }
}

static void fill_bytes(uint8_t *p, size_t count) {
  for (size_t i = 0; i < count; i++) p[i] = (uint8_t)number();
}

#define CALL(which, type, ...) ((type *)kernels[which]->function)(__VA_ARGS__)

static void clear(size_t count) {
  for (size_t i = 0; i < count; i++) y[0][i] = y[1][i] = NAN;
}

/// Results within `tolerance` times their root mean square; 0 asks for the same bits.
static void compare(size_t count, float tolerance, const char *shape) {
  double squares = 0, worst = 0;
  for (size_t i = 0; i < count; i++) squares += (double)y[0][i] * y[0][i];
  const double limit = tolerance * sqrt(squares / (double)(count ? count : 1));
  int wrong = tolerance == 0 && memcmp(y[0], y[1], count * 4) != 0;
  for (size_t i = 0; i < count; i++) {
    const double off = fabs((double)y[0][i] - y[1][i]);
    if (!(off <= limit) && tolerance > 0) wrong = 1;
    if (off > worst) worst = off;
  }
  comparisons++;
  if (wrong) {
    failures++;
    printf("%s, %s: off by %g, accepted is %g\n", kernels[1]->name, shape, worst, limit);
  }
}

static const float close = 2e-5f;
static const size_t depths[] = {1, 31, 32, 33, 64, 96, 128, 160, 255, 256, 257, 480, 640, 1009};
static char shape[96];

#define EACH_SHAPE(rows, inner) \
  for (size_t rows = 1; rows <= 16; rows += rows < 4 ? 1 : 4) \
    for (size_t d = 0, inner; d < sizeof depths / sizeof *depths && (inner = depths[d], 1); d++)

static void linear(const char *element) {
  EACH_SHAPE(rows, inner) {
    const size_t columns = 37, stride = (inner + 15) / 16 * 16;
    snprintf(shape, sizeof shape, "%zu rows, K %zu", rows, inner);
    clear(rows * columns);
    memset(weights, 0, columns * stride * 4);
    for (size_t n = 0; n < columns; n++) {
      for (size_t k = 0; k < inner; k++) {
        const size_t i = n * stride + k;
        const float value = uniform();
        uint32_t bits;
        memcpy(&bits, &value, 4);
        if (element[0] == 'f' && element[1] == '3') memcpy(weights + 4 * i, &value, 4);
        if (element[0] == 'b') ((uint16_t *)weights)[i] = (uint16_t)(bits >> 16);
        if (element[1] == '1') ((uint16_t *)weights)[i] = half();
      }
    }
    for (int which = 0; which < 2; which++) {
      if (element[0] == 'b') {
        const ck_linear_bf16 call = {rows, inner, 0, columns, x, (uint16_t *)weights, x + 999, y[which], inner, stride, columns};
        CALL(which, ck_linear_bf16_function, &call);
      } else if (element[1] == '1') {
        const ck_linear_f16 call = {rows, inner, 0, columns, x, (ck_f16 *)weights, x + 999, y[which], inner, stride, columns};
        CALL(which, ck_linear_f16_function, &call);
      } else {
        const ck_linear_f32 call = {rows, inner, 0, columns, x, (float *)weights, x + 999, y[which], inner, stride, columns};
        CALL(which, ck_linear_f32_function, &call);
      }
    }
    compare(rows * columns, close, shape);
  }
}

/// Rows of x as the portable kernel quantizes them.
static void quantize(size_t rows, size_t inner) {
  size_t count;
  const ck_kernel *list = ck_kernel_list(&count);
  while (strcmp(list->name, "f32_quantize_rows__portable")) list++;
  const ck_quantize_rows_f32 call = {rows, inner, x, quantized, inner, ck_quantized_row_bytes(inner)};
  ((ck_quantize_rows_f32_function *)list->function)(&call);
}

static void linear_blocks(block_format f) {
  EACH_SHAPE(rows, inner) {
    const size_t columns = 37, blocks = row_blocks(inner), stride = blocks * (code_bytes(f) + parameter_bytes(f));
    uint8_t *low = weights + columns * stride;
    snprintf(shape, sizeof shape, "%zu rows, K %zu", rows, inner);
    fill_bytes(weights, columns * stride + columns * blocks * low_bytes(f));
    for (size_t n = 0; n < columns; n++) {
      fill_halves(weights + n * stride + blocks * code_bytes(f), blocks * parameter_bytes(f) / 2);
    }
    quantize(rows, inner);
    clear(rows * columns);
    for (int which = 0; which < 2; which++) {
      const ck_linear_blocks call = {rows, inner, 0, columns, quantized, weights, low_bytes(f) ? low : NULL, x + 999, y[which],
                                     ck_quantized_row_bytes(inner), stride, columns, NULL};
      CALL(which, ck_linear_blocks_function, &call);
    }
    compare(rows * columns, close, shape);
  }
}

static void quantize_rows(void) {
  EACH_SHAPE(rows, inner) {
    const size_t stride = ck_quantized_row_bytes(inner);
    snprintf(shape, sizeof shape, "%zu rows, K %zu", rows, inner);
    clear(rows * stride / 4);
    for (int which = 0; which < 2; which++) {
      const ck_quantize_rows_f32 call = {rows, inner, x + 5, y[which], inner, stride};
      CALL(which, ck_quantize_rows_f32_function, &call);
    }
    compare(rows * stride / 4, 0, shape);
  }
}

static void scan(int bits) {
  for (size_t rank = 8; rank <= 256; rank += 56) {
    for (size_t rows = 1; rows <= CK_SCAN_ROWS; rows++) {
      const size_t panels = 5, bytes = ck_panel_bytes(rank, bits), stride = panels * CK_PANEL_ROWS;
      int8_t *q = (int8_t *)quantized;
      int32_t sums[CK_SCAN_ROWS] = {0};
      for (size_t i = 0; i < rows * rank; i++) {
        q[i] = (int8_t)((int)(number() % 127) - 63);
        sums[i / rank] += q[i];
      }
      fill_bytes(weights, panels * bytes);
      for (size_t p = 0; p < panels; p++) fill_halves(weights + (p + 1) * bytes - 2 * CK_PANEL_ROWS, CK_PANEL_ROWS);
      snprintf(shape, sizeof shape, "%zu rows, rank %zu", rows, rank);
      clear(rows * stride);
      for (int which = 0; which < 2; which++) {
        const ck_scan call = {rows, rank, panels, weights, q, x, sums, y[which], rank, stride};
        CALL(which, ck_scan_function, &call);
      }
      compare(rows * stride, 0, shape);
    }
  }
}

static void weighted_sum(int is_half) {
  for (size_t rows = 1; rows <= 5; rows++) {
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
      const size_t inner = 19, columns = depths[d];
      snprintf(shape, sizeof shape, "%zu rows, D %zu", rows, columns);
      fill_halves(weights, inner * columns);
      clear(rows * columns);
      for (int which = 0; which < 2; which++) {
        const ck_weighted_sum_f16 halves = {rows, inner, columns, x, (ck_f16 *)weights, y[which], inner, columns, columns, false};
        const ck_weighted_sum_f32 floats = {rows, inner, columns, x, x + 500, y[which], inner, columns, columns, false};
        if (is_half) {
          CALL(which, ck_weighted_sum_f16_function, &halves);
        } else {
          CALL(which, ck_weighted_sum_f32_function, &floats);
        }
      }
      compare(rows * columns, close, shape);
    }
  }
}

/// Of columns in a format of blocks; NULL for f32.
static void weighted_rows(const block_format *f) {
  for (size_t rows = 1; rows <= 3; rows++) {
    for (size_t outputs = 1; outputs <= 700; outputs += 63) {
      const size_t stride = ck_column_outputs(outputs);
      int32_t list[40];
      for (int i = 0; i < 40; i++) list[i] = 2 * i + i % 2;
      if (f) {
        const column_layout l = layout_of(*f, outputs);
        fill_bytes(weights, 3 * l.panel);
        for (size_t p = 0; p < 3; p++) {
          fill_halves(weights + p * l.panel + BLOCK * l.column, parameter_bytes(*f) / 2 * stride);
        }
      } else {
        memcpy(weights, x + 77, 81 * stride * 4);
      }
      snprintf(shape, sizeof shape, "%zu rows, %zu outputs", rows, outputs);
      clear(rows * stride);
      for (int which = 0; which < 2; which++) {
        const ck_weighted_rows call = {rows, 0, 40, outputs, list, weights, x, y[which], scratch, 40, stride};
        CALL(which, ck_weighted_rows_function, &call);
      }
      for (size_t s = 0; s < rows; s++) {  // What lies behind the outputs of a row is nobody's.
        for (int which = 0; which < 2; which++) memmove(y[which] + s * outputs, y[which] + s * stride, outputs * 4);
      }
      compare(rows * outputs, close, shape);
    }
  }
}

static void rows(const char *family) {
  for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
    const size_t count = depths[d];
    snprintf(shape, sizeof shape, "%zu numbers", count);
    clear(count + 1);
    for (int which = 0; which < 2; which++) {
      float *to = y[which];
      to[count] = 0;
      if (!strcmp(family, "max_f32")) {
        memset(to, 0, count * 4);
        to[0] = CALL(which, ck_max_f32_function, count, x);
      } else if (!strcmp(family, "exp_sum_f32")) {
        to[count] = CALL(which, ck_exp_sum_f32_function, count, x, 0.25f, to);
      } else if (!strcmp(family, "scale_f32")) {
        CALL(which, ck_scale_f32_function, count, x, 0.3f, to);
      } else if (!strcmp(family, "rms_norm_f32")) {
        CALL(which, ck_rms_norm_f32_function, count, x, x + 77, 1e-6f, to);
      } else if (!strcmp(family, "narrow_f16")) {
        memset(to, 0, count * 4);
        CALL(which, ck_narrow_f16_function, count, x, (ck_f16 *)to);
      } else if (!strcmp(family, "select_f32")) {
        memset(to, 0, count * 4);
        CALL(which, ck_select_f32_function, count, x, (count + 1) / 2, (uint32_t *)to);
      } else {
        CALL(which, ck_map_f32_function, count, x, to);
      }
    }
    const int is_exact = !strcmp(family, "narrow_f16") || !strcmp(family, "select_f32");
    compare(count + 1, is_exact ? 0 : close, shape);
  }
}

static void check(const char *family) {
  static const struct { const char *name; block_format format; } formats[] = {
      {"q8b32", Q8B32}, {"q6b16", Q6B16}, {"q5b32", Q5B32}, {"q4b32", Q4B32}, {"q8n32", Q8N32}, {"q4n32", Q4N32}};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (!strstr(family, formats[i].name)) continue;
    if (family[0] == 'l') linear_blocks(formats[i].format);
    if (family[0] == 'w') weighted_rows(&formats[i].format);
    return;
  }
  if (!strncmp(family, "linear_", 7)) linear(family + 7);
  else if (!strcmp(family, "weighted_rows_f32")) weighted_rows(NULL);
  else if (!strcmp(family, "quantize_rows_f32")) quantize_rows();
  else if (!strncmp(family, "scan_u", 6)) scan(family[6] - '0');
  else if (!strncmp(family, "weighted_sum_f", 14)) weighted_sum(family[14] == '1');
  else rows(family);
}

int main(int count, char **isas) {
  size_t kernel_count;
  const ck_kernel *list = ck_kernel_list(&kernel_count);
  int checked = 0;
  for (size_t i = 0; i < MOST; i++) x[i] = 3 * uniform();
  for (size_t i = 0; i < kernel_count; i++) {
    if (!strcmp(list[i].isa, "portable")) kernels[0] = &list[i];
    for (int a = 1; a < count; a++) {
      if (strcmp(list[i].isa, isas[a])) continue;
      const int before = comparisons;
      kernels[1] = &list[i];
      if (list[i].function) check(list[i].family);
      if (comparisons == before) failures += printf("%s was not compared\n", list[i].name) > 0;
      checked++;
    }
  }
  printf("%d kernels, %d comparisons, %d failed\n", checked, comparisons, failures);
  return failures > 0 || checked == 0;
}
