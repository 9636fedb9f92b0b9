#if defined(__x86_64__)
#include "../simd/avx512.h"
#define ISA avx512
#include "../simd/lanes.h"
#include "row_lanes.h"
#endif
