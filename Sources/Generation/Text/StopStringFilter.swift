/// Passes text through up to the first of some strings. Text that may be the start of one is held back.
///
/// A string that is there in full ends the text, also while an earlier place may yet become another one.
struct StopStringFilter {
  private let stops: [[UInt8]]
  /// The longest end of the text that a stop string starts with; it contains none.
  private var held: [UInt8] = []
  private(set) var hasStopped = false

  init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// - Returns: what can be shown, including what was held back before.
  mutating func feed(_ piece: String) -> String {
    if stops.isEmpty { return piece }
    if hasStopped { return "" }
    held += piece.utf8
    if let start = firstStart(where: { rest, stop in rest.starts(with: stop) }) {
      hasStopped = true
      return take(start, dropping: held.count)
    }
    let shown = firstStart { rest, stop in stop.starts(with: rest) } ?? held.count
    return take(shown, dropping: shown)
  }

  /// Where the first end of the held text begins that fits to any of the strings.
  private func firstStart(where fits: (_ rest: ArraySlice<UInt8>, _ stop: [UInt8]) -> Bool) -> Int? {
    held.indices.first { start in stops.contains { fits(held[start...], $0) } }
  }

  /// The text held back, when no more comes. ``feed(_:)`` has searched it.
  mutating func finish() -> String { take(held.count, dropping: held.count) }

  /// A stop string starts with a character, so cutting before one splits none.
  private mutating func take(_ count: Int, dropping dropped: Int) -> String {
    let text = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(dropped)
    return text
  }
}
