#if defined(__x86_64__)
#include "../simd/avx2.h"
#define ISA avx2
#include "../simd/lanes.h"

#define TILE_N 3
#define TILE_S 2
#define CALL ck_linear_f16
#include "linear_tile.h"

TARGET_BEGIN
void f16_linear_3x2__avx2(const ck_linear_f16 *call) { linear(call); }
TARGET_END
#endif
