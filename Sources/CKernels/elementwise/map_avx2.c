#if defined(__x86_64__)
#include "../simd/avx2.h"
#define ISA avx2
#include "../simd/lanes.h"
#include "map_lanes.h"

TARGET_BEGIN
MAP(exp)
MAP(tanh)
MAP(sigmoid)
MAP(silu)
MAP(gelu)
MAP(gelu_tanh)
TARGET_END
#endif
