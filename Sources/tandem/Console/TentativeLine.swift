#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Text at the end of a terminal's output that is replaced as a whole until it is taken away.
///
/// Lines for it are made first, so that the place that the cursor goes back to does not scroll away:
///
///     ESC D (down a line, making one at the bottom) n times, ESC [ n A (up n lines), ESC 7 (note the place)
struct TentativeLine {
  private var isShown = false

  /// Shows `text` dimmed in place of what was shown. What does not fit the screen is left out.
  mutating func show(_ text: String) throws {
    let size = Self.terminalSize()
    // A character takes two columns at most, and no more than its bytes.
    var text = Substring(text)
    while Self.lines(of: text, width: size.columns) >= size.rows { text.removeLast() }
    let lines = Self.lines(of: text, width: size.columns)
    let room = String(repeating: "\u{1B}D", count: lines) + "\u{1B}[\(lines)A\u{1B}7"
    try StandardStream.output.write((isShown ? "\u{1B}8\u{1B}[J" : "") + room + "\u{1B}[2m\(text)\u{1B}[22m")
    isShown = true
  }

  /// Takes the text away; the cursor is where it began.
  mutating func clear() throws {
    guard isShown else { return }
    isShown = false
    try StandardStream.output.write("\u{1B}8\u{1B}[J")
  }

  /// Lines that a text may need below the one that it begins in, wherever it begins there.
  private static func lines(of text: Substring, width: Int) -> Int {
    guard !text.isEmpty else { return 1 }
    return text.split(separator: "\n", omittingEmptySubsequences: false).reduce(0) {
      $0 + 1 + $1.utf8.count / width
    }
  }

  private static func terminalSize() -> (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 1 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }
}
