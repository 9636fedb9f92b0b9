#include "CKernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/// Extended control register 0: which register state the operating system saves.
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

uint32_t ck_cpu_features(void) {
  // Bits of XCR0: SSE and AVX; then opmask, upper halves of ZMM0-15, ZMM16-31.
  const uint64_t ymm_state = 0x6, zmm_state = 0xe6;
  uint32_t a, b, c, d, features = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  uint64_t state = saved_state();
  if ((state & ymm_state) != ymm_state) return 0;
  if (c & bit_FMA) features |= CK_FEATURE_FMA;
  if (c & bit_F16C) features |= CK_FEATURE_F16C;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  if (b & bit_AVX2) features |= CK_FEATURE_AVX2;
  if ((state & zmm_state) != zmm_state) return features;
  if (b & bit_AVX512F) features |= CK_FEATURE_AVX512F;
  if (b & bit_AVX512BW) features |= CK_FEATURE_AVX512BW;
  if (b & bit_AVX512VL) features |= CK_FEATURE_AVX512VL;
  if (b & bit_AVX512DQ) features |= CK_FEATURE_AVX512DQ;
  if (c & bit_AVX512VNNI) features |= CK_FEATURE_AVX512VNNI;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16)) features |= CK_FEATURE_AVX512BF16;
  return features;
}

void ck_cpu_name(char name[49]) {
  // Leaves 0x80000002...4 hold the 48 characters of the brand string.
  uint32_t words[12] = {0};
  for (uint32_t leaf = 0; leaf < 3; leaf++) {
    uint32_t *w = words + 4 * leaf;
    if (!__get_cpuid(0x80000002 + leaf, &w[0], &w[1], &w[2], &w[3])) break;
  }
  memcpy(name, words, 48);
  name[48] = 0;
}

#else

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

uint32_t ck_cpu_features(void) {
  uint32_t features = 0;
#if defined(__ARM_NEON)
  features |= CK_FEATURE_NEON;
#endif
#if defined(__ARM_FEATURE_DOTPROD)
  features |= CK_FEATURE_DOTPROD;
#elif defined(__aarch64__) && defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) features |= CK_FEATURE_DOTPROD;
#endif
  return features;
}

void ck_cpu_name(char name[49]) { name[0] = 0; }

#endif
