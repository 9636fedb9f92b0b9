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

/// Processors that this process may run on.
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
