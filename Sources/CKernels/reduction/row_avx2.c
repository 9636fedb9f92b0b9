#if defined(__x86_64__)
#include "../simd/avx2.h"
#define ISA avx2
#include "../simd/lanes.h"
#include "row_lanes.h"
#endif
