import Foundation
import Kernels
import Synchronization
import Testing

struct ThreadPoolTests {
  @Test(arguments: 1...8)
  func everyIndexRunsOnce(threadCount: Int) {
    let pool = ThreadPool(threadCount: threadCount)
    #expect(pool.threadCount == threadCount)
    for count in [0, 1, 2, 3, 7, 64, 1000] {
      let counters = (0..<count).map { _ in Counter() }
      pool.forEach(count) { counters[$0].add(1) }
      #expect(counters.allSatisfy { $0.value == 1 })
    }
  }

  @Test(arguments: [2, 3, 8])
  func manyShortRounds(threadCount: Int) {
    let pool = ThreadPool(threadCount: threadCount)
    let sum = Counter()
    for _ in 0..<20_000 { pool.forEach(3) { sum.add($0 + 1) } }
    #expect(sum.value == 120_000)
  }

  @Test func workersThatSleepWakeUp() {
    let pool = ThreadPool(threadCount: 3)
    for _ in 0..<20 {
      usleep(2000)
      let sum = Counter()
      pool.forEach(100) { sum.add($0) }
      #expect(sum.value == 4950)
    }
  }

  @Test func aLoopInsideALoopRunsInline() {
    let pool = ThreadPool(threadCount: 4)
    let sum = Counter()
    pool.forEach(10) { outer in
      pool.forEach(10) { inner in sum.add(outer * 10 + inner) }
    }
    #expect(sum.value == 4950)
  }

  @Test func twoCallersShareAPool() async {
    let pool = ThreadPool(threadCount: 3)
    let sum = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { for _ in 0..<500 { pool.forEach(8) { sum.add($0) } } }
      }
    }
    #expect(sum.value == 4 * 500 * 28)
  }

  @Test func poolsComeAndGo() {
    for round in 0..<100 {
      let pool = ThreadPool(threadCount: 1 + round % 5)
      let sum = Counter()
      if round % 2 == 0 { pool.forEach(5) { sum.add($0) } }
      #expect(sum.value == (round % 2 == 0 ? 10 : 0))
    }
  }
}

private final class Counter: Sendable {
  private let storage = Atomic<Int>(0)
  var value: Int { storage.load(ordering: .acquiring) }
  func add(_ amount: Int) { storage.wrappingAdd(amount, ordering: .relaxed) }
}
