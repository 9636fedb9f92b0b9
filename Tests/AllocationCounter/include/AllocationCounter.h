// Counts what threads allocate, by standing in for the allocator of the C library.
#pragma once
#include <stdbool.h>

/// Whether this build counts: the C library must let its allocator be replaced, and called (glibc).
bool ac_is_available(void);

/// From now on allocations of the calling thread count, or no longer do.
void ac_watch_thread(bool watches);

/// Allocations of all watched threads so far, memory mappings included.
long ac_count(void);
