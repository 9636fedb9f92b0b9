/// Scores of panels, on any instruction set.
///
/// The includer defines `sum16`, the sums of a panel's rows, and `panel_sums(bits, rows, c, codes, sums)`,
/// which makes them for each row of q; `row_scales`, the scales of a panel, `load_scales`, and
/// `store_scores(sums, offset, scale, scales, y)`. bits and rows are literals at every call, so that sums
/// stay in registers.
///
/// A panel is read once for all rows of q. Panels are asked for ahead, as processors do not look across
/// pages.
#pragma once
#include "scan.h"

enum { AHEAD_BYTES = 3 << 10 };

TARGET_BEGIN

INLINE void scan_rows(const int bits, const int rows, const ck_scan *c) {
  const size_t bytes = ck_panel_bytes(c->rank, bits);
  const uint8_t *panel = c->codes;
  for (size_t p = 0; p < c->panels; p++, panel += bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(panel + AHEAD_BYTES + i);
    sum16 sums[CK_SCAN_ROWS];
    panel_sums(bits, rows, c, panel, sums);
    const row_scales scales = load_scales(panel + bytes - SCALE_BYTES);
    UNROLL for (int s = 0; s < rows; s++) {
      store_scores(
          sums[s], scan_offset(bits) * c->sums[s], c->scales[s], scales,
          c->y + (size_t)s * c->y_stride + p * CK_PANEL_ROWS);
    }
  }
}

INLINE void scan(const int bits, const ck_scan *c) {
  switch (c->rows) {
    case 1: return scan_rows(bits, 1, c);
    case 2: return scan_rows(bits, 2, c);
    case 3: return scan_rows(bits, 3, c);
    default: return scan_rows(bits, 4, c);
  }
}

TARGET_END
