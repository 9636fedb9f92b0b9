#include "CKernels.h"

#define CK_AVX2 (CK_FEATURE_AVX2 | CK_FEATURE_FMA | CK_FEATURE_F16C)
#define CK_AVX512 \
  (CK_AVX2 | CK_FEATURE_AVX512F | CK_FEATURE_AVX512BW | CK_FEATURE_AVX512VL | CK_FEATURE_AVX512DQ)

#define CK_REQUIRED_portable 0
#define CK_REQUIRED_avx2 CK_AVX2
#define CK_REQUIRED_avx512 CK_AVX512
#define CK_REQUIRED_avx512vnni (CK_AVX512 | CK_FEATURE_AVX512VNNI)
#define CK_REQUIRED_neon CK_FEATURE_NEON
#define CK_REQUIRED_dotprod (CK_FEATURE_NEON | CK_FEATURE_DOTPROD)

#if defined(__x86_64__)
#define CK_POINTER_avx2(function) (void (*)(void)) function
#define CK_POINTER_avx512(function) (void (*)(void)) function
#define CK_POINTER_avx512vnni(function) (void (*)(void)) function
#else
#define CK_POINTER_avx2(function) NULL
#define CK_POINTER_avx512(function) NULL
#define CK_POINTER_avx512vnni(function) NULL
#endif
#if defined(__aarch64__)
#define CK_POINTER_neon(function) (void (*)(void)) function
#define CK_POINTER_dotprod(function) (void (*)(void)) function
#else
#define CK_POINTER_neon(function) NULL
#define CK_POINTER_dotprod(function) NULL
#endif
#define CK_POINTER_portable(function) (void (*)(void)) function

#define CK_KERNEL(family, isa, function) \
  {#function, #family, #isa, CK_REQUIRED_##isa, CK_POINTER_##isa(function)},

static const ck_kernel list[] = {
#include "kernels.def"
};

const ck_kernel *ck_kernel_list(size_t *count) {
  *count = sizeof list / sizeof list[0];
  return list;
}
