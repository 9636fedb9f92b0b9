import Synchronization

extension ThreadPool {
  /// Calls `body` for each of `0..<count`, with a place below ``placeCount(_:)`` that no other call has at
  /// the same time: room for scratch memory.
  func forEachInPlace(_ count: Int, _ body: (_ index: Int, _ place: Int) -> Void) {
    let next = Atomic<Int>(0)
    forEach(placeCount(count)) { place in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        if index >= count { return }
        body(index, place)
      }
    }
  }

  func placeCount(_ count: Int) -> Int { min(count, threadCount) }
}
