import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Ctrl-C while generating: the first one asks to stop, the second one ends the process.
enum Interruption {
  fileprivate static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  static func catchFirst() {
    // The handler must not be the first to touch the flag, whose set-up takes a lock.
    flag.store(false, ordering: .relaxed)
    signal(SIGINT, noteInterruption)
    // Blocked by who started the program, perhaps: worker threads of libdispatch do.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }
}

private func noteInterruption(_ number: Int32) {
  Interruption.flag.store(true, ordering: .relaxed)
  signal(number, SIG_DFL)
}
