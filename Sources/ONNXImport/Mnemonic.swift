import GraphIR

/// ONNX operator names and IR mnemonics: snake case, with the acronyms that plain case splitting gets wrong.
///
///     MatMul -> matmul    RMSNormalization -> rms_normalization    GatherND -> gather_nd    TopK -> top_k
public enum Mnemonic {
  /// Words that case splitting would take apart.
  private static let words = [
    ("MatMul", "Matmul"), ("NBits", "Nbits"), ("QLinear", "Qlinear"), ("PRelu", "Prelu"), ("NaN", "Nan"),
    ("Col2Im", "Col2im"), ("GLU", "Glu"), ("SwiGlu", "Swiglu"), ("QMoE", "Qmoe"), ("MoE", "Moe"),
    ("2D", "2d"),
  ]

  /// Older names of operators.
  private static let synonyms = ["scatter": "scatter_elements"]

  /// Marks the `com.microsoft` form of an operator whose name has another meaning in the default domain.
  static let microsoftPrefix = "microsoft_"

  /// `com.microsoft` operators that share only their name with a standard one.
  private static let homonyms: Set<String> = ["attention", "grid_sample", "rotary_embedding", "unique"]

  /// The mnemonic of an operator that the table has, nil for one that it lacks.
  static func mnemonic(of operation: String, domain: String, in operators: OperatorTable) -> String? {
    var name = mnemonic(of: operation)
    switch domain {
    case "": break
    case "com.microsoft":
      if operators[microsoftPrefix + name] != nil {
        name = microsoftPrefix + name
      } else if homonyms.contains(name) {
        return nil
      }
    default: return nil
    }
    return operators[name] == nil ? nil : name
  }

  /// The mnemonic of an ONNX operator type.
  public static func mnemonic(of operation: String) -> String {
    var text = operation
    for (word, replacement) in words { text = text.replacing(word, with: replacement) }
    let letters = Array(text.unicodeScalars)
    var result = ""
    for (index, letter) in letters.enumerated() {
      let isUpper = letter.properties.isUppercase
      if isUpper, index > 0 {
        let afterUpper = letters[index - 1].properties.isUppercase
        let beforeLower = index + 1 < letters.count && letters[index + 1].properties.isLowercase
        if !afterUpper || beforeLower { result += "_" }
      }
      result += String(letter).lowercased()
    }
    return synonyms[result] ?? result
  }
}
