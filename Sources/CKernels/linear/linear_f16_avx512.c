#if defined(__x86_64__)
#include "../simd/avx512.h"
#define ISA avx512
#include "../simd/lanes.h"

#define TILE_N 4
#define TILE_S 6
#define CALL ck_linear_f16
#include "linear_tile.h"

TARGET_BEGIN
void f16_linear_4x6__avx512(const ck_linear_f16 *call) { linear(call); }
TARGET_END
#endif
