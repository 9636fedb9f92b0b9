#if defined(__aarch64__)
#include "../simd/neon.h"
#define ISA neon
#include "../simd/lanes.h"
#include "row_lanes.h"
#endif
