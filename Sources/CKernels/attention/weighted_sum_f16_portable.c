#include "../simd/half.h"

#define CALL ck_weighted_sum_f16
#define NUMBER(v) half_number(v)
#include "weighted_sum_scalar.h"

void f16_weighted_sum_1x1__portable(const ck_weighted_sum_f16 *call) { weighted_sum(call); }
