#if defined(__x86_64__)
#include "../simd/avx2.h"
#define ISA avx2
#include "../simd/lanes.h"

#define TILE_S 2
#define TILE_G 2
#define CALL ck_weighted_sum_f32
#include "weighted_sum_tile.h"

TARGET_BEGIN
void f32_weighted_sum_2x32__avx2(const ck_weighted_sum_f32 *call) { weighted_sum(call); }
TARGET_END
#endif
