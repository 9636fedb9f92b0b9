import CKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Threads that share the iterations of a loop.
///
/// Results never depend on the number of threads: kernels cut their work into pieces of a size that does not
/// depend on it, and no piece reads what another one writes.
///
/// The calling thread takes part. A loop started while another one runs on the same pool (from inside its
/// body, or from another thread) runs on its own thread alone. Starting and ending a loop allocates nothing.
public final class ThreadPool: Sendable {
  /// Threads that take part, the caller's included: fewer than were asked for where the system starts no more.
  public let threadCount: Int
  private let team: Team
  /// Written in `init` and read in `deinit` only.
  private let workers: [pthread_t]

  public init(threadCount: Int) {
    let wanted = max(1, threadCount)
    let team = Team(spinLimit: threadCount <= ck_processor_count() ? .microseconds(200) : .zero)
    self.team = team
    var workers: [pthread_t] = []
    for index in 1..<wanted {
      let start = Unmanaged.passRetained(WorkerStart(team: team, name: "tandem-\(index)"))
      #if canImport(Glibc)
        var thread = pthread_t()
      #else
        var thread: pthread_t!
      #endif
      let status = pthread_create(
        &thread, nil,
        { argument in
          let start = Unmanaged<WorkerStart>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue()
          start.run()
          return nil
        }, start.toOpaque())
      guard status == 0 else {
        start.release()
        break
      }
      workers.append(thread)
    }
    self.workers = workers
    self.threadCount = workers.count + 1
  }

  deinit {
    team.dismiss()
    for worker in workers { pthread_join(worker, nil) }
  }

  /// Calls `body` for each of `0..<count`, on any thread, and returns when all calls have.
  public func forEach(_ count: Int, _ body: (Int) -> Void) {
    guard count > 1, threadCount > 1, team.reserve() else {
      for index in 0..<count { body(index) }
      return
    }
    team.run(count, closureWords(body))
  }
}

/// A closure that does not escape has no Swift value that another thread could be handed, and making it
/// escape allocates; its two words are valid as long as the caller's frame.
@_silgen_name("ck_closure_words")
private func closureWords(_ body: (Int) -> Void) -> ck_closure

private final class WorkerStart {
  let team: Team
  let name: String

  init(team: Team, name: String) {
    self.team = team
    self.name = name
  }

  func run() {
    ck_thread_set_name(name)
    team.work()
  }
}

/// What the threads of a pool share.
///
/// A loop goes through these steps:
/// 1. The caller writes the job and opens the `gate`: a new round number, no one inside.
/// 2. Workers that see the open gate enter it by counting themselves in, take indices from `next` until there
///    are none, and count themselves out. The caller takes indices too.
/// 3. The caller closes the gate, so that a worker that wakes late stays out, and waits until no one is
///    inside.
///
/// Idle workers look at the gate for `spinLimit`, then sleep on the condition. The limit is longer than the serial
/// steps of a token, since waking a sleeper takes as long as a product.
private final class Team: Sendable {
  private struct Job {
    var count = 0
    var body = ck_closure()
  }

  /// Bits of `gate`: workers inside, whether one may enter, and the round above them.
  private enum Gate {
    static let insideMask = 0xffff
    static let open = 1 << 16
    static let round = 1 << 17
    /// Not a round: the pool is going away.
    static let dismissed = -1
  }

  private let gate = Atomic<Int>(0)
  private let linePadding1 = InlineArray<16, Int>(repeating: 0)
  private let next = Atomic<Int>(0)
  private let linePadding2 = InlineArray<16, Int>(repeating: 0)
  private let sleepers = Atomic<Int>(0)
  private let isReserved = Atomic<Bool>(false)
  private let spinLimit: Duration
  /// Written by the caller while the gate is closed and no one is inside.
  private nonisolated(unsafe) let job: UnsafeMutablePointer<Job>
  private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private nonisolated(unsafe) let condition: UnsafeMutablePointer<pthread_cond_t>

  init(spinLimit: Duration) {
    self.spinLimit = spinLimit
    job = .allocate(capacity: 1)
    job.initialize(to: Job())
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
    job.deallocate()
  }

  /// Takes the team for one loop; false when it is busy.
  func reserve() -> Bool {
    isReserved.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  /// Runs one loop on the reserved team.
  func run(_ count: Int, _ body: ck_closure) {
    job.pointee = Job(count: count, body: body)
    next.store(0, ordering: .relaxed)
    let round = (gate.load(ordering: .relaxed) & ~(Gate.open | Gate.insideMask)) &+ Gate.round
    announce(round & .max | Gate.open)
    takeIndices(count, body)
    gate.bitwiseAnd(~Gate.open, ordering: .acquiringAndReleasing)
    var spins = 0
    while gate.load(ordering: .acquiring) & Gate.insideMask != 0 {
      spins += 1
      // A worker inside may have lost its processor to someone else.
      if spins > 2000 { sched_yield() } else { ck_pause() }
    }
    isReserved.store(false, ordering: .releasing)
  }

  func dismiss() { announce(Gate.dismissed) }

  /// Changes the gate and wakes those who sleep. Sequential consistency on both sides: either the sleeper
  /// sees the new gate, or this sees the sleeper.
  private func announce(_ state: Int) {
    gate.store(state, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
  }

  @inline(__always)
  private func takeIndices(_ count: Int, _ body: ck_closure) {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if index >= count { return }
      ck_closure_call(body, index)
    }
  }

  /// A worker's life.
  func work() {
    var seen = 0
    while true {
      let state = waitForRound(after: seen)
      if state == Gate.dismissed { return }
      seen = state & ~(Gate.open | Gate.insideMask)
      if enter(round: seen) {
        takeIndices(job.pointee.count, job.pointee.body)
        gate.wrappingSubtract(1, ordering: .releasing)
      }
    }
  }

  private func enter(round: Int) -> Bool {
    var state = gate.load(ordering: .relaxed)
    while state != Gate.dismissed, state & Gate.open != 0, state & ~(Gate.open | Gate.insideMask) == round {
      let (exchanged, original) = gate.weakCompareExchange(
        expected: state, desired: state + 1, successOrdering: .acquiring, failureOrdering: .relaxed)
      if exchanged { return true }
      state = original
    }
    return false
  }

  private static func isNew(_ state: Int, after seen: Int) -> Bool {
    state & ~(Gate.open | Gate.insideMask) != seen
  }

  private func waitForRound(after seen: Int) -> Int {
    var state = gate.load(ordering: .acquiring)
    if Self.isNew(state, after: seen) { return state }
    let deadline = ContinuousClock.now + spinLimit
    repeat {
      for _ in 0..<32 {
        ck_pause()
        state = gate.load(ordering: .acquiring)
        if Self.isNew(state, after: seen) { return state }
      }
    } while ContinuousClock.now < deadline
    pthread_mutex_lock(mutex)
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    state = gate.load(ordering: .sequentiallyConsistent)
    while !Self.isNew(state, after: seen) {
      pthread_cond_wait(condition, mutex)
      state = gate.load(ordering: .sequentiallyConsistent)
    }
    sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
    return state
  }
}
