#define CALL ck_linear_f32
#define NUMBER(w) (w)
#include "linear_scalar.h"

void f32_linear_1x1__portable(const ck_linear_f32 *call) { linear(call); }
