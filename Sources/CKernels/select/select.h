/// The largest of some numbers, by counting, on any instruction set.
///
/// The includer defines `count_above(count, x, t)`, how many of x are above t; `above(x, t)`, a bit for each
/// of sixteen numbers that is; and `bounds(count, x, low, high)`, the smallest and the largest number.
///
/// 1. A threshold is searched that as many numbers are above as are asked for. Counting reads x at the speed
///    of the first-level cache, so a search is a few passes. It cuts the interval where a line through its
///    ends meets the goal, an end that stays twice counting half (the Illinois rule). A search that takes
///    long cuts every second time in the middle of the numbers that f32 has, so it ends also on strange data.
/// 2. Where none exists, the numbers that equal the upper end of an interval that holds no other are ties,
///    and the first of them fill up.
/// 3. Places are written in order.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "CKernels.h"

enum { STEADY_STEPS = 10 };

/// Numbers in their order as integers, neighbours one apart.
static inline int32_t order_of(float x) {
  int32_t i;
  memcpy(&i, &x, 4);
  return i ^ (i >> 31 & 0x7fffffff);
}
static inline float number_at(int32_t order) {
  order ^= order >> 31 & 0x7fffffff;
  float x;
  memcpy(&x, &order, 4);
  return x;
}

/// What is taken: numbers above `least`, and the first `ties` of those that equal it, or, with `takes_rest`,
/// of all that are not above it.
typedef struct {
  float least;
  size_t ties;
  bool takes_rest;
} threshold;

TARGET_BEGIN

/// Of counts, almost straight over thresholds where numbers lie about a mean.
INLINE float odds(size_t above, size_t count) {
  return logf(((float)above + 0.5f) / ((float)(count - above) + 0.5f));
}

INLINE threshold search(size_t count, const float *x, size_t selected) {
  float low, high;
  bounds(count, x, &low, &high);
  size_t above = count_above(count, x, low);
  if (above <= selected) return (threshold){low, selected - above, true};
  const float goal = odds(selected, count);
  // How far the ends are from the goal, and which one was moved last.
  float from_low = odds(above, count) - goal, from_high = goal - odds(0, count);
  size_t fewer = 0;
  int moved = 0;
  for (int step = 1;; step++) {
    const int64_t from = order_of(low), to = order_of(high);
    if (to - from <= 1) return (threshold){high, selected - fewer, false};
    float t = low + (high - low) * (from_low / (from_low + from_high));
    const bool is_late = step > STEADY_STEPS && step % 2 == 0;
    if (is_late || !(t > low && t < high)) t = number_at((int32_t)((from + to) / 2));
    above = count_above(count, x, t);
    if (above == selected) return (threshold){t, 0, false};
    if (above > selected) {
      low = t;
      from_low = odds(above, count) - goal;
      if (moved < 0) from_high /= 2;
      moved = -1;
    } else {
      high = t;
      fewer = above;
      from_high = goal - odds(above, count);
      if (moved > 0) from_low /= 2;
      moved = 1;
    }
  }
}

/// Places of numbers above `least`: those of 64 numbers at a time as bits.
INLINE void write_places(size_t count, const float *x, float least, uint32_t *places) {
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    uint64_t bits = 0;
    for (int j = 0; j < 4; j++) bits |= (uint64_t)above(x + i + 16 * j, least) << 16 * j;
    for (; bits != 0; bits &= bits - 1) *places++ = (uint32_t)i + (uint32_t)__builtin_ctzll(bits);
  }
  for (; i < count; i++)
    if (x[i] > least) *places++ = (uint32_t)i;
}

INLINE void select_largest(size_t count, const float *x, size_t selected, uint32_t *places) {
  if (selected == 0) return;
  threshold t = search(count, x, selected);
  if (t.ties == 0) return write_places(count, x, t.least, places);
  for (size_t i = 0; i < count; i++) {
    bool is_taken = x[i] > t.least;
    if (!is_taken && t.ties > 0 && (t.takes_rest || x[i] == t.least)) {
      is_taken = true;
      t.ties--;
    }
    if (is_taken) *places++ = (uint32_t)i;
  }
}

TARGET_END
