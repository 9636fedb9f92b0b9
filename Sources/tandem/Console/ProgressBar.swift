/// One line on standard error about a long step, redrawn in place. Silent for the first second and off terminals.
struct ProgressBar: ~Copyable {
  private let isShown = StandardStream.error.isTerminal
  private let start = ContinuousClock.now
  private var lastDrawn = ContinuousClock.now
  private var isDrawn = false

  deinit { if isDrawn { Self.draw("") } }

  /// - Parameter fraction: the share that is done; nil when unknown.
  mutating func update(_ label: String, _ fraction: Double?) {
    guard isShown else { return }
    let now = ContinuousClock.now
    guard now - start > .seconds(1), !isDrawn || now - lastDrawn > .milliseconds(100) else { return }
    lastDrawn = now
    isDrawn = true
    guard let fraction else { return Self.draw("\(label) ...") }
    let width = 32
    let filled = Int(min(max(fraction, 0), 1) * Double(width))
    let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
    Self.draw("\(label) [\(bar)] \(Int(fraction * 100))%")
  }

  /// Removes the line, so that other output starts on a clean one.
  mutating func clear() {
    guard isDrawn else { return }
    Self.draw("")
    isDrawn = false
  }

  private static func draw(_ text: String) { try? StandardStream.error.write("\r\u{1B}[K\(text)") }
}
