import Foundation
public import Testing

/// Texts that tests expect, one file each under `Goldens/` beside the test.
///
/// `BLESS=1` in the environment writes what a test got in place of what it expected.
public enum Golden {
  private static let isBlessing = ProcessInfo.processInfo.environment["BLESS"] == "1"

  /// Expects `text` to be that of the file `Goldens/name`.
  ///
  /// A failure shows the difference and says how to bless.
  public static func expect(
    _ text: String, named name: String, filePath: String = #filePath,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = URL(filePath: filePath).deletingLastPathComponent().appending(path: "Goldens")
    let file = folder.appending(path: name)
    let expected = try? String(contentsOf: file, encoding: .utf8)
    if expected == text { return }
    if isBlessing {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      return
    }
    let difference =
      expected.map { LineDifference(from: $0, to: text).unified } ?? "the file does not exist; got:\n\(text)"
    Issue.record(
      "Goldens/\(name) differs\n\(difference)\nBLESS=1 swift test --filter ... takes the new text over",
      sourceLocation: sourceLocation)
  }
}

/// The difference of two texts by lines.
public struct LineDifference {
  private enum Edit {
    case keep(Substring)
    case remove(Substring)
    case insert(Substring)

    var text: String {
      switch self {
      case .keep(let line): " \(line)"
      case .remove(let line): "-\(line)"
      case .insert(let line): "+\(line)"
      }
    }

    var isKept: Bool { if case .keep = self { true } else { false } }
  }

  private let edits: [Edit]

  public init(from old: String, to new: String) {
    let a = old.split(separator: "\n", omittingEmptySubsequences: false)
    let b = new.split(separator: "\n", omittingEmptySubsequences: false)
    let difference = b.difference(from: a)
    let removed = Set(difference.removals.map(\.offset))
    let inserted = Set(difference.insertions.map(\.offset))
    var edits: [Edit] = []
    var (i, j) = (0, 0)
    while i < a.count || j < b.count {
      if i < a.count, removed.contains(i) {
        edits.append(.remove(a[i]))
        i += 1
      } else if j < b.count, inserted.contains(j) {
        edits.append(.insert(b[j]))
        j += 1
      } else {
        edits.append(.keep(a[i]))
        (i, j) = (i + 1, j + 1)
      }
    }
    self.edits = edits
  }

  /// Changed lines marked `-` and `+`, with three lines of context; `@@` where lines are skipped.
  public var unified: String {
    let changed = edits.indices.filter { !edits[$0].isKept }
    let shown = Set(changed.flatMap { max(0, $0 - 3)...min(edits.count - 1, $0 + 3) })
    var lines: [String] = []
    var last = -1
    for index in shown.sorted() {
      if index != last + 1 { lines.append("@@") }
      lines.append(edits[index].text)
      last = index
    }
    return lines.joined(separator: "\n")
  }
}

extension CollectionDifference.Change {
  fileprivate var offset: Int {
    switch self {
    case .insert(let offset, _, _), .remove(let offset, _, _): offset
    }
  }
}
