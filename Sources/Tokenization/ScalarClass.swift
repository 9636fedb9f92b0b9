/// Sets of scalars that pre-tokenizers split at, as the reference implementation defines them.
enum ScalarClass: UInt8 {
  /// General category N: digits, letter numbers, fractions.
  case numeric
  /// White_Space.
  case space
  /// General category P, and ASCII symbols.
  case punctuation
  /// `\w`: alphabetic, mark, decimal digit, connector punctuation, join control.
  case word

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .numeric:
      switch scalar.properties.generalCategory {
      case .decimalNumber, .letterNumber, .otherNumber: true
      default: false
      }
    case .space: scalar.properties.isWhitespace
    case .punctuation:
      switch scalar.properties.generalCategory {
      case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation:
        true
      default: scalar.isASCII && "$+<=>^`|~".unicodeScalars.contains(scalar)
      }
    case .word:
      switch scalar.properties.generalCategory {
      case .decimalNumber, .connectorPunctuation: true
      default:
        scalar.properties.isAlphabetic || Self.isMark(scalar) || scalar.properties.isJoinControl
      }
    }
  }

  /// General category M.
  static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }
}
