// What the thread pool needs and Swift cannot say; not kernels, so free to call the system.
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif

/// Swift sees this as `((Int) -> Void) -> ck_closure`: a closure is passed as its two words.
__attribute__((swiftcall)) ck_closure ck_closure_words(void *function, void *context);

ck_closure ck_closure_words(void *function, void *context) { return (ck_closure){function, context}; }

void ck_thread_set_name(const char *name) {
#if defined(__APPLE__)
  pthread_setname_np(name);
#else
  pthread_setname_np(pthread_self(), name);
#endif
}

size_t ck_processor_count(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return (size_t)CPU_COUNT(&set);
#endif
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (size_t)count : 1;
}
