/// Rows of small codes in panels of 16 rows, scored against a few rows of int8.
///
/// A panel holds rank coordinates of 16 rows: groups of 64 bytes, then the 16 scales of the rows in f16. A
/// group holds four bytes of each row, row by row.
///
///     4 bits, rank / 8 groups: byte c of a row in group j holds the codes of coordinate 8 j + c in its low
///                              and of coordinate 8 j + 4 + c in its high bits; a = scale (code - 8)
///     8 bits, rank / 4 groups: byte c of a row in group j holds the code of coordinate 4 j + c;
///                              a = scale (code - 128)
///
/// So four products of a row meet in one 32-bit lane, and the lanes of a vector are rows: nothing is added
/// across lanes.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

enum { GROUP_BYTES = 64, SCALE_BYTES = 2 * CK_PANEL_ROWS };

/// Coordinates of a group.
static inline size_t group_coordinates(int bits) { return bits == 4 ? 8 : 4; }

/// What is subtracted from a code.
static inline int32_t scan_offset(int bits) { return bits == 4 ? 8 : 128; }
