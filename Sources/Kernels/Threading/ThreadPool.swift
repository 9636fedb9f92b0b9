/// Threads that share the iterations of a loop.
///
/// Results never depend on the number of threads: kernels cut their work into pieces of a size that does not
/// depend on it, and no piece reads what another one writes.
public final class ThreadPool: Sendable {
  public let threadCount: Int

  public init(threadCount: Int) { self.threadCount = max(1, threadCount) }

  /// Calls `body` for each of `0..<count`, on any thread, and returns when all calls have.
  public func forEach(_ count: Int, _ body: (Int) -> Void) {
    for index in 0..<count { body(index) }
  }
}
