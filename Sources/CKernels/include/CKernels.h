/// Micro-kernels in C: one file per family and instruction set.
///
/// Contract of every kernel: it allocates nothing, makes no OS calls, keeps no mutable globals, takes scratch
/// memory from its caller, is re-entrant, reads only the elements its arguments name (never past the end of a
/// row) and writes only its results. Pointers need the alignment of their element type, no more.
/// `kernels.def` lists the kernels; declarations, the table below, tests and benchmarks are made from that
/// list.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What a processor can do, as bits of `ck_cpu_features()`.
enum ck_feature {
  CK_FEATURE_AVX2 = 1 << 0,
  CK_FEATURE_FMA = 1 << 1,
  CK_FEATURE_F16C = 1 << 2,
  CK_FEATURE_AVX512F = 1 << 3,
  CK_FEATURE_AVX512BW = 1 << 4,
  CK_FEATURE_AVX512VL = 1 << 5,
  CK_FEATURE_AVX512DQ = 1 << 6,
  CK_FEATURE_AVX512VNNI = 1 << 7,
  CK_FEATURE_AVX512BF16 = 1 << 8,
  CK_FEATURE_NEON = 1 << 9,
  CK_FEATURE_DOTPROD = 1 << 10,
};

/// The features of the processor (and operating system) that this runs on.
uint32_t ck_cpu_features(void);

/// The processor's own name, NUL-terminated; empty when it does not tell.
void ck_cpu_name(char name[49]);

/// Tells the processor that this is a spin loop.
static inline void ck_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

/// Asks memory for `bytes` bytes that will be read.
static inline void ck_prefetch(const void *p, size_t bytes) {
  if (bytes == 0) return;
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)p + i);
  __builtin_prefetch((const char *)p + bytes - 1);
}

// MARK: Kernel list

/// One kernel on one instruction set.
typedef struct {
  const char *name;
  const char *family;
  const char *isa;
  /// Bits of `ck_feature` that must all be present.
  uint32_t required_features;
  /// To be cast to the family's type; NULL when this build is for another architecture.
  void (*function)(void);
} ck_kernel;

/// All kernels, grouped by family, the best instruction set last.
const ck_kernel *ck_kernel_list(size_t *count);

// MARK: Families

/// A number in IEEE 754 binary16.
typedef struct {
  uint16_t bits;
} ck_f16;

/// y[s, n] = sum over k of x[s, k] * w[n, k], plus bias[n] when there is one; n in n0..<n1.
///
/// Each output is accumulated in 16 lanes (lane l takes k = l, l + 16, ... in order), which are then added in
/// a tree: lanes 8 apart, then 4, 2 and 1 apart; the bias comes last. So its bits depend on nothing but its
/// own row, column and K: not on `rows`, not on the range, not on the threads that share it. Kernels with
/// fused multiply-add agree with each other bit for bit; the portable one rounds twice per step.
typedef struct {
  /// 1...16.
  size_t rows;
  /// K.
  size_t inner;
  size_t n0, n1;
  const float *x;
  const float *w;
  /// [N] or NULL.
  const float *bias;
  float *y;
  /// Elements from one row to the next.
  size_t x_stride, w_stride, y_stride;
} ck_linear_f32;
typedef void ck_linear_f32_function(const ck_linear_f32 *call);

/// As `ck_linear_f32`, with the same bits as on the decoded weights. Rows of w are filled up with zeros to
/// whole lanes: 16 elements.
typedef struct {
  /// 1...16.
  size_t rows;
  /// K.
  size_t inner;
  size_t n0, n1;
  const float *x;
  const uint16_t *w;
  /// [N] or NULL.
  const float *bias;
  float *y;
  /// Elements from one row to the next.
  size_t x_stride, w_stride, y_stride;
} ck_linear_bf16;
typedef void ck_linear_bf16_function(const ck_linear_bf16 *call);

/// As `ck_linear_f32`, with the same bits as on the widened weights.
typedef struct {
  /// 1...16.
  size_t rows;
  /// K.
  size_t inner;
  size_t n0, n1;
  const float *x;
  const ck_f16 *w;
  /// [N] or NULL.
  const float *bias;
  float *y;
  /// Elements from one row to the next.
  size_t x_stride, w_stride, y_stride;
} ck_linear_f16;
typedef void ck_linear_f16_function(const ck_linear_f16 *call);

// Rows in blocks of 32 numbers; their layout is drawn in `linear/blocks.h`.

/// What one call of a product in blocks takes at most.
enum { CK_BLOCK_ROWS = 32 };

/// Bytes of a row of `inner` numbers that `quantize_rows` has written.
static inline size_t ck_quantized_row_bytes(size_t inner) {
  size_t blocks = (inner + 31) / 32, rest = blocks % 8;
  return blocks * 32 + (blocks / 8 + (rest & 1) + (rest >> 1 & 1) + (rest >> 2)) * 160;
}

/// Quantizes rows of f32 to int8: per block of 32 numbers, scale = max |x| / 127 and q = round(x / scale),
/// ties to even; with the sums of q that formats with an offset need. A block of numbers below 2^-119 is
/// zero; one that holds a NaN or an infinity has such a scale, so that what is made of it shows it.
///
/// Bits are the same on all instruction sets.
typedef struct {
  size_t rows, inner;
  const float *x;
  /// rows of `ck_quantized_row_bytes(inner)` bytes, aligned as floats are.
  void *q;
  /// Elements and bytes from one row to the next.
  size_t x_stride, q_stride;
} ck_quantize_rows_f32;
typedef void ck_quantize_rows_f32_function(const ck_quantize_rows_f32 *call);

/// The numbers that a row of `quantize_rows` stands for: scale times quant.
void ck_dequantize_row(size_t inner, const void *q, float *x);

/// y[s, n] = x[s] . w[n] + bias[n] for n in n0..<n1; x in the form of `quantize_rows`, w in a format of
/// blocks.
///
/// Per chunk of the row (see `linear/blocks.h`) and each of 8 lanes the products are summed in integers, that
/// sum is multiplied by the scale of w (minus the block's minimum times the sum of x), then by the scale of x
/// and added to the lane, chunk by chunk; in the end lanes 2 apart are added, then 1 apart, then 4 apart,
/// then the bias. So bits of an output depend on its own rows alone. Kernels with fused multiply-add agree
/// with each other bit for bit; the portable one rounds twice per step.
typedef struct {
  /// 1...CK_BLOCK_ROWS.
  size_t rows;
  /// K.
  size_t inner;
  size_t n0, n1;
  const void *x;
  const void *w;
  /// The plane that lies apart, for formats that have one.
  const void *low;
  /// [N] or NULL.
  const float *bias;
  float *y;
  /// Bytes from one row to the next.
  size_t x_stride, w_stride;
  /// Elements from one row to the next.
  size_t y_stride;
  /// The row of w and bias that n stands for, or NULL when it is n. With a list `rows` is 1.
  const int32_t *list;
} ck_linear_blocks;
typedef void ck_linear_blocks_function(const ck_linear_blocks *call);

// Rows of small codes in panels; their layout is drawn in `scan/scan.h`.

enum {
  /// Rows of a panel.
  CK_PANEL_ROWS = 16,
  /// What one call of a scan takes at most.
  CK_SCAN_ROWS = 4,
};

/// Bytes of a panel of `rank` coordinates in 4 or 8 bits.
static inline size_t ck_panel_bytes(size_t rank, int bits) {
  return (rank * (size_t)bits / 8 + 2) * CK_PANEL_ROWS;
}

/// y[s, 16 p + r] = scales[s] * scale of row r * (sum over k of (code[p, r, k] - offset) * q[s, k]): products
/// of rows of small codes with rows of int8, of magnitude at most 127 for codes of 4 bits and 63 for 8.
///
/// Sums are exact integers, rounded to f32 and multiplied by the two scales in the order sum, scales[s],
/// scale of the row: the same bits on all instruction sets.
typedef struct {
  /// 1...CK_SCAN_ROWS.
  size_t rows;
  /// A multiple of 8.
  size_t rank;
  size_t panels;
  const void *codes;
  const int8_t *q;
  /// One per row: its scale, and the sum of its q.
  const float *scales;
  const int32_t *sums;
  float *y;
  /// Elements from one row to the next.
  size_t q_stride, y_stride;
} ck_scan;
typedef void ck_scan_function(const ck_scan *call);

/// Places of the `selected` (at most `count`) largest of `count` numbers, ascending. Of equal ones the first
/// are taken, and a NaN counts as equal to the smallest number.
typedef void ck_select_f32_function(size_t count, const float *x, size_t selected, uint32_t *places);

/// y[s, d] = sum over t of p[s, t] * v[t, d], t in order; the same bits whatever `rows`. With `adds` the sum goes on
/// from what y holds: two calls over the halves of t give the bits of one over all.
typedef struct {
  /// S, T and D.
  size_t rows, inner, columns;
  const float *p;
  const float *v;
  float *y;
  /// Elements from one row to the next.
  size_t p_stride, v_stride, y_stride;
  bool adds;
} ck_weighted_sum_f32;
typedef void ck_weighted_sum_f32_function(const ck_weighted_sum_f32 *call);

/// As `ck_weighted_sum_f32`, with the same bits as on the widened v.
typedef struct {
  /// S, T and D.
  size_t rows, inner, columns;
  const float *p;
  const ck_f16 *v;
  float *y;
  /// Elements from one row to the next.
  size_t p_stride, v_stride, y_stride;
  bool adds;
} ck_weighted_sum_f16;
typedef void ck_weighted_sum_f16_function(const ck_weighted_sum_f16 *call);

/// y[i] = x[i] in f16, rounded to nearest, ties to even. What lies beyond +-65504, infinities too, becomes
/// that number; NaN stays NaN. Bits but those of NaNs are the same on all instruction sets.
typedef void ck_narrow_f16_function(size_t count, const float *x, ck_f16 *y);

/// y[s, d] = sum over i in i0..<i1 of p[s, i] * w[d, list[i]]; w in the columns of a format of blocks or of f32, whose
/// layout is drawn in `rows/columns.h`. Columns of f32 are added to y in the order of the list.
///
/// Columns that share a scale are added up first, products of p and codes in the order of the list; the sum is
/// multiplied by the scale and added to y (for q4b32 then the minimum times the sum of p is taken away), scale by
/// scale. So bits of a row of y depend on its own p and on i0 alone, and columns with weight 0 change none. Kernels
/// with fused multiply-add agree with each other bit for bit; the portable one rounds twice per step.
typedef struct {
  /// S.
  size_t rows;
  size_t i0, i1;
  /// D.
  size_t outputs;
  /// Ascending columns of w.
  const int32_t *list;
  const void *w;
  const float *p;
  /// A row of `ck_column_outputs(outputs)` numbers for each s.
  float *y;
  /// Scratch memory of as many rows as y.
  float *sums;
  /// Elements from one row to the next.
  size_t p_stride, y_stride;
} ck_weighted_rows;

/// Outputs filled up to whole chunks.
static inline size_t ck_column_outputs(size_t outputs) { return (outputs + 63) / 64 * 64; }
typedef void ck_weighted_rows_function(const ck_weighted_rows *call);

/// y[i] = f(x[i]); x and y may be the same.
typedef void ck_map_f32_function(size_t count, const float *x, float *y);

/// The largest element; -infinity when there is none.
typedef float ck_max_f32_function(size_t count, const float *x);

/// y[i] = exp(x[i] - bias); returns the sum of y in 16 lanes, added as in `ck_linear_f32`. x and y may be the
/// same.
typedef float ck_exp_sum_f32_function(size_t count, const float *x, float bias, float *y);

/// y[i] = x[i] * factor; x and y may be the same.
typedef void ck_scale_f32_function(size_t count, const float *x, float factor, float *y);

/// y[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i], weight taken as 1 when NULL; x and y may be the same.
typedef void ck_rms_norm_f32_function(
    size_t count, const float *x, const float *weight, float epsilon, float *y);

#define CK_KERNEL(family, isa, function) extern ck_##family##_function function;
#define CK_FAMILY(family, type) typedef ck_##type##_function ck_##family##_function;
#include "kernels.def"
#undef CK_FAMILY
#undef CK_KERNEL

// MARK: Threads

/// Names the calling thread; at most 15 characters.
void ck_thread_set_name(const char *name);

/// Processors that this process may run on, and has time on: a quota of its control group counts.
size_t ck_processor_count(void);

/// The two words of a Swift closure of type `(Int) -> Void`.
typedef struct {
  void *function;
  void *context;
} ck_closure;

/// Calls such a closure, which must be alive.
static inline void ck_closure_call(ck_closure closure, intptr_t argument) {
  typedef __attribute__((swiftcall)) void body(intptr_t, __attribute__((swift_context)) void *);
  ((body *)closure.function)(argument, closure.context);
}
