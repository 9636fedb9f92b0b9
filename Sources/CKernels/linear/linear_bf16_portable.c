#include <stdint.h>

static float widened(uint16_t w) {
  union {
    uint32_t bits;
    float number;
  } u = {(uint32_t)w << 16};
  return u.number;
}

#define CALL ck_linear_bf16
#define NUMBER(w) widened(w)
#include "linear_scalar.h"

void bf16_linear_1x1__portable(const ck_linear_bf16 *call) { linear(call); }
