#if defined(__x86_64__)
#include "../simd/avx512.h"
#define ISA avx512
#include "../simd/lanes.h"

#define TILE_S 4
#define TILE_G 4
#define CALL ck_weighted_sum_f16
#include "weighted_sum_tile.h"

TARGET_BEGIN
void f16_weighted_sum_4x64__avx512(const ck_weighted_sum_f16 *call) { weighted_sum(call); }
TARGET_END
#endif
