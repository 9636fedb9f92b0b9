/// Columns of fixed width, two blanks apart.
public struct TextTable {
  public enum Alignment: Sendable {
    case left, right
  }

  /// Tables are to be read in terminals of this width.
  static let maximumColumns = 110

  var rows: [[String]]
  /// Per column; the rest is aligned left.
  var alignments: [Alignment]
  var indent: Int

  public init(rows: [[String]], alignments: [Alignment] = [], indent: Int = 0) {
    self.rows = rows
    self.alignments = alignments
    self.indent = indent
  }

  /// One line per row, without blanks at the ends of lines.
  public var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    var text = ""
    for row in rows {
      var line = String(repeating: " ", count: indent)
      for (column, cell) in row.enumerated() {
        let blanks = String(repeating: " ", count: widths[column] - cell.count)
        let isRight = column < alignments.count && alignments[column] == .right
        line += (column == 0 ? "" : "  ") + (isRight ? blanks + cell : cell + blanks)
      }
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    return text
  }

  /// Lines of at most `width` characters, broken after commas where that leaves no short line, else between words.
  static func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var rest = Substring(text)
    while rest.count > width {
      let line = rest.prefix(width + 1)
      let blanks = line.indices.dropFirst().filter { line[$0] == " " }
      let commas = blanks.suffix(blanks.count - blanks.count / 2).filter {
        line[line.index(before: $0)] == ","
      }
      // A word that is longer than a line is broken where the line ends.
      let end = commas.last ?? blanks.last ?? rest.index(rest.startIndex, offsetBy: width)
      lines.append(String(rest[..<end]))
      rest = rest[end...].drop { $0 == " " }
    }
    return lines + [String(rest)]
  }

  /// At most `count` characters; what is too long loses its end.
  static func cut(_ text: String, to count: Int) -> String {
    text.count <= count ? text : text.prefix(count - 1) + "…"
  }

  /// At most `count` characters; what is too long loses its beginning.
  static func cutFront(_ text: String, to count: Int) -> String {
    text.count <= count ? text : "…" + text.suffix(count - 1)
  }
}

/// Numbers for people: three digits and a decimal unit.
public enum Quantity {
  public static func bytes(_ value: Int) -> String { value < 1000 ? "\(value) B" : scaled(value) + "B" }

  public static func count(_ value: Int) -> String {
    value < 1000 ? "\(value)" : scaled(value).filter { $0 != " " }
  }

  /// `1.23 M` for 1234567; the unit is one of k, M, G, T, P, E.
  private static func scaled(_ value: Int) -> String {
    var scaled = Double(value)
    var unit = 0
    while scaled >= 999.5, unit < 6 { (scaled, unit) = (scaled / 1000, unit + 1) }
    let digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0
    let factor = [1.0, 10, 100][digits]
    let fixed = Int((scaled * factor).rounded())
    let whole = "\(fixed / Int(factor))"
    let fraction = digits == 0 ? "" : "." + String("000\(fixed % Int(factor))".suffix(digits))
    return whole + fraction + " " + ["", "k", "M", "G", "T", "P", "E"][unit]
  }
}
