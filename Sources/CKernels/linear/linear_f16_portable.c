#include "../simd/half.h"

#define CALL ck_linear_f16
#define NUMBER(w) half_number(w)
#include "linear_scalar.h"

void f16_linear_1x1__portable(const ck_linear_f16 *call) { linear(call); }
