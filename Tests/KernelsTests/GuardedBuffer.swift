import Foundation

/// Floats between two pages that may not be touched: reading or writing past either end stops the test.
///
/// The elements end at the upper page, or, with `startsAtPage`, begin at the lower one. Keep the buffer alive
/// while its pointer is in use.
final class GuardedBuffer {
  let base: UnsafeMutablePointer<Float>
  let count: Int
  private let mapping: UnsafeMutableRawPointer
  private let mappedBytes: Int

  init(_ values: [Float], startsAtPage: Bool = false) {
    let page = Int(getpagesize())
    let inner = max(page, (values.count * 4 + page - 1) / page * page)
    mappedBytes = inner + 2 * page
    mapping = mmap(nil, mappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(mapping != MAP_FAILED && mprotect(mapping + page, inner, PROT_READ | PROT_WRITE) == 0)
    let offset = startsAtPage ? page : page + inner - values.count * 4
    base = (mapping + offset).bindMemory(to: Float.self, capacity: values.count)
    base.initialize(from: values, count: values.count)
    count = values.count
  }

  convenience init(count: Int, repeating value: Float = .nan) {
    self.init([Float](repeating: value, count: count))
  }

  deinit { munmap(mapping, mappedBytes) }

  var values: [Float] { Array(UnsafeBufferPointer(start: base, count: count)) }
}

/// Reproducible numbers (SplitMix64).
struct Random: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }
}

extension Sequence<Float> {
  /// For comparisons in which -0 and 0, and NaNs, are what they are.
  var bits: [UInt32] { map(\.bitPattern) }
}
