#if defined(__aarch64__)
#include "../simd/neon.h"
#define ISA neon
#include "../simd/lanes.h"

#define TILE_N 2
#define TILE_S 3
#define CALL ck_linear_f16
#include "linear_tile.h"

TARGET_BEGIN
void f16_linear_2x3__neon(const ck_linear_f16 *call) { linear(call); }
TARGET_END
#endif
