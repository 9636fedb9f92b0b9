// What the thread pool needs and Swift cannot say; not kernels, so free to call the system.
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <stdio.h>
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

#if defined(__linux__)
/// Processors' worth of time that the container may use, rounded up; `count` where nothing limits it.
static size_t within_quota(size_t count) {
  long quota = 0, period = 0;
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
  if (file) {
    if (fscanf(file, "%ld %ld", &quota, &period) != 2) quota = 0;
    fclose(file);
  }
  if (quota <= 0 || period <= 0) return count;
  const size_t whole = (size_t)((quota + period - 1) / period);
  return whole < count ? whole : count;
}
#endif

size_t ck_processor_count(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return within_quota((size_t)CPU_COUNT(&set));
#endif
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (size_t)count : 1;
}
