#define CALL ck_weighted_sum_f32
#define NUMBER(v) (v)
#include "weighted_sum_scalar.h"

void f32_weighted_sum_1x1__portable(const ck_weighted_sum_f32 *call) { weighted_sum(call); }
