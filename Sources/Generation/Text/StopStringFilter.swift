/// Passes text through up to the first of some strings. Text that may be the start of one is held back.
struct StopStringFilter {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  private(set) var hasStopped = false

  init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// - Returns: what can be shown, including what was held back before.
  mutating func feed(_ piece: String) -> String {
    if stops.isEmpty { return piece }
    if hasStopped { return "" }
    held += piece.utf8
    for start in held.indices {
      if stops.contains(where: { held[start...].starts(with: $0) }) {
        hasStopped = true
        return take(start, dropping: held.count)
      }
      if stops.contains(where: { $0.starts(with: held[start...]) }) { return take(start, dropping: start) }
    }
    return take(held.count, dropping: held.count)
  }

  /// The text held back, when no more comes.
  mutating func finish() -> String { take(held.count, dropping: held.count) }

  /// A stop string starts with a character, so cutting before one splits none.
  private mutating func take(_ count: Int, dropping dropped: Int) -> String {
    let text = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(dropped)
    return text
  }
}
