#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory that this process used.
enum ProcessMemory {
  /// The most that was resident at once, mapped files included.
  static var peakByteCount: Int {
    var usage = rusage()
    #if canImport(Glibc)
      getrusage(RUSAGE_SELF.rawValue, &usage)
      return usage.ru_maxrss * 1024
    #else
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #endif
  }
}
