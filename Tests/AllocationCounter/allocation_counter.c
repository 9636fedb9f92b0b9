#define _GNU_SOURCE
#include "AllocationCounter.h"

#include <stdatomic.h>
#include <stddef.h>

static _Thread_local bool is_watched;
static atomic_long count;

void ac_watch_thread(bool watches) { is_watched = watches; }
long ac_count(void) { return atomic_load(&count); }

#if defined(__GLIBC__)
#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

bool ac_is_available(void) { return true; }

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static inline void note(void) {
  if (is_watched) atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

// Definitions in the executable come before those of libraries, also for calls from libraries.

void *malloc(size_t size) {
  note();
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  note();
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
  note();
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  note();
  void *result = __libc_memalign(alignment, size);
  if (!result) return ENOMEM;
  *memory = result;
  return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  note();
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}
#else
bool ac_is_available(void) { return false; }
#endif
