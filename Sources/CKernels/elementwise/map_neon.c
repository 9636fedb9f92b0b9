#if defined(__aarch64__)
#include "../simd/neon.h"
#define ISA neon
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
