/// The changes that rules make, numbered over a whole pipeline from 1 on.
///
/// With a limit, rules change nothing after patch number `limit`, while everything else goes on: so one
/// finds, by halving, the patch from which on results differ.
public struct PatchLog: Sendable {
  public struct Entry: Sendable, Equatable, CustomStringConvertible {
    public let number: Int
    /// Rule and change.
    public let text: String
    /// The exporter's path of the anchor.
    public let location: String

    public var description: String { "\(number) \(text)" + (location.isEmpty ? "" : " at '\(location)'") }
  }

  public private(set) var entries: [Entry] = []
  public let limit: Int?

  public init(limit: Int? = nil) { self.limit = limit }

  /// Whether another change may be made.
  public var isOpen: Bool { limit.map { entries.count < $0 } ?? true }

  /// Numbers a change.
  public mutating func append(_ text: String, location: String) {
    entries.append(Entry(number: entries.count + 1, text: text, location: location))
  }
}
