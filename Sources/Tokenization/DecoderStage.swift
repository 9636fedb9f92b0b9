/// A ``DecoderStep`` at work on a stream of tokens, with what it holds back.
///
/// Behind a step that joins all tokens, what arrives are parts of one token: a stage whose result could
/// depend on parts still to come holds back as much as it must, in the worst case everything until the end.
struct DecoderStage {
  private let step: DecoderStep
  /// Whether what arrives are parts of a single token.
  private let isJoined: Bool
  private var held: [UInt8] = []
  /// Whether a token has arrived.
  private var hasStarted = false
  /// How many leading characters `strip` has removed from the joined token; nil once another one has come.
  private var removed: Int? = 0

  init(_ step: DecoderStep, isJoined: Bool) {
    self.step = step
    self.isJoined = isJoined
  }

  /// The tokens, or parts of the one token, that can be passed on after `token`.
  mutating func feed(_ token: [UInt8]) -> [[UInt8]] {
    defer { hasStarted = true }
    switch step {
    case .fuse: return [token]
    case .separate: return hasStarted ? [[0x20] + token] : [token]
    case .metaspace(let mark, let dropsFirst):
      let isFirst = isJoined || !hasStarted
      return [TextPattern.literal(mark).replacing(token, with: isFirst && dropsFirst ? [] : [0x20])]
    case .replace(let pattern, let content):
      if isJoined, !pattern.isOneScalar { return hold(token) }
      return [pattern.replacing(token, with: content)]
    case .byteFallback:
      if isJoined { return hold(token) }
      if let byte = Self.fallbackByte(token) { return hold([byte]) }
      return takeFallback() + [token]
    case .byteLevel:
      if isJoined { return hold(token) }
      held += ByteLevelAlphabet.decode(token) ?? token
      return [Self.repaired(take(UTF8Text.completePrefix(of: held)))]
    case .strip(let content, let start, let stop):
      if isJoined { return [stripJoined(token, content, start: start, stop: stop)] }
      return [Self.stripped(token, content, start: start, stop: stop)]
    }
  }

  /// What is left to pass on after the last token.
  mutating func finish() -> [[UInt8]] {
    switch step {
    case .fuse, .separate, .metaspace: return []
    case .replace(let pattern, let content):
      return held.isEmpty ? [] : [pattern.replacing(takeAll(), with: content)]
    case .byteFallback:
      if !isJoined { return takeFallback() }
      if let byte = Self.fallbackByte(held) { held = [byte] } else { return [takeAll()] }
      return takeFallback()
    case .byteLevel:
      if isJoined { held = ByteLevelAlphabet.decode(held) ?? held }
      return [Self.repaired(takeAll())]
    case .strip(let content, _, let stop):
      return isJoined ? [Self.stripped(takeAll(), content, start: 0, stop: stop)] : []
    }
  }

  private mutating func hold(_ bytes: [UInt8]) -> [[UInt8]] {
    held += bytes
    return []
  }

  private mutating func takeAll() -> [UInt8] { take(held.count) }

  private mutating func take(_ count: Int) -> [UInt8] {
    defer { held.removeFirst(count) }
    return Array(held[..<count])
  }

  // MARK: Byte fallback

  /// The byte of a token spelled `<0xNN>`.
  private static func fallbackByte(_ token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
    // The reference's number parser takes a sign.
    if token[3] == UInt8(ascii: "-") { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }

  private mutating func takeFallback() -> [[UInt8]] {
    let run = takeAll()
    if run.isEmpty { return [] }
    if String(validating: run, as: UTF8.self) != nil { return [run] }
    return run.map { _ in Array("\u{FFFD}".utf8) }
  }

  private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    Array(String(decoding: bytes, as: UTF8.self).utf8)
  }

  // MARK: Strip

  private static func stripped(_ token: [UInt8], _ content: [UInt8], start: Int, stop: Int) -> [UInt8] {
    var rest = token[...]
    var left = start
    while left > 0, rest.starts(with: content) {
      rest = rest.dropFirst(content.count)
      left -= 1
    }
    left = stop
    while left > 0, rest.suffix(content.count).elementsEqual(content) {
      rest = rest.dropLast(content.count)
      left -= 1
    }
    return Array(rest)
  }

  /// The part of the joined token that neither leading nor trailing removal can touch any more.
  private mutating func stripJoined(_ part: [UInt8], _ content: [UInt8], start: Int, stop: Int) -> [UInt8] {
    var rest = part[...]
    if let count = removed {
      var count = count
      while count < start, rest.starts(with: content) {
        rest = rest.dropFirst(content.count)
        count += 1
      }
      removed = rest.isEmpty && count < start ? count : nil
    }
    held += rest
    var trailing = 0
    var end = held.count
    while trailing < stop, held[..<end].suffix(content.count).elementsEqual(content) {
      end -= content.count
      trailing += 1
    }
    return take(end)
  }
}

extension TextPattern {
  /// Whether every match is one scalar, so that text may be cut between any two scalars.
  fileprivate var isOneScalar: Bool {
    switch self {
    case .literal(let text): UTF8Text.length(lead: text[0]) == text.count
    case .scalar: true
    case .regex: false
    }
  }
}
