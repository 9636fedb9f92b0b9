#include "scan.h"


#include "../simd/half.h"

#pragma STDC FP_CONTRACT OFF

/// The sum of codes by numbers of one row of a panel.
static int32_t dot(int bits, size_t rank, const uint8_t *codes, const int8_t *q) {
  int32_t sum = 0;
  for (size_t k = 0; k < rank; k += group_coordinates(bits), codes += GROUP_BYTES) {
    for (size_t c = 0; c < 4; c++) {
      if (bits == 4) {
        sum += (codes[c] & 15) * q[k + c] + (codes[c] >> 4) * q[k + 4 + c];
      } else {
        sum += codes[c] * q[k + c];
      }
    }
  }
  return sum;
}

static void scan(const ck_scan *c, int bits) {
  const size_t bytes = ck_panel_bytes(c->rank, bits);
  for (size_t p = 0; p < c->panels; p++) {
    const uint8_t *panel = (const uint8_t *)c->codes + p * bytes, *scales = panel + bytes - SCALE_BYTES;
    for (size_t s = 0; s < c->rows; s++) {
      const int32_t offset = scan_offset(bits) * c->sums[s];
      for (size_t r = 0; r < CK_PANEL_ROWS; r++) {
        const int32_t sum = dot(bits, c->rank, panel + 4 * r, c->q + s * c->q_stride) - offset;
        c->y[s * c->y_stride + p * CK_PANEL_ROWS + r] = (float)sum * c->scales[s] * half_at(scales + 2 * r);
      }
    }
  }
}

void u4_scan__portable(const ck_scan *call) { scan(call, 4); }
void u8_scan__portable(const ck_scan *call) { scan(call, 8); }
