#include "blocks.h"

void ck_dequantize_row(size_t inner, const void *q, float *x) {
  const uint8_t *chunk = q;
  const size_t blocks = row_blocks(inner);
  for (size_t first = 0, m; first < blocks; first += m) {
    m = chunk_blocks(blocks - first);
    const float *scale = (const float *)(chunk + scales_at(m));
    for (size_t b = 0; b < m; b++) {
      for (size_t e = 0; e < BLOCK && (first + b) * BLOCK + e < inner; e++) {
        const int8_t quant = (int8_t)chunk[(e / 4 * m + b) * 4 + e % 4];
        x[(first + b) * BLOCK + e] = scale[b] * (float)quant;
      }
    }
    chunk += chunk_bytes(m);
  }
}
