#if defined(__x86_64__)
#include "../simd/avx512.h"
#define ISA avx512
#include "../simd/lanes.h"

#define TILE_N 4
#define TILE_S 6
#define CALL ck_linear_bf16
#include "linear_tile.h"

TARGET_BEGIN
void bf16_linear_4x6__avx512(const ck_linear_bf16 *call) { linear(call); }
TARGET_END
#endif
