/// ONNX operator names and IR mnemonics: snake case, with the acronyms that plain case splitting gets wrong.
///
///     MatMul -> matmul    RMSNormalization -> rms_normalization    GatherND -> gather_nd    TopK -> top_k
public enum Mnemonic {
  /// Words that case splitting would take apart.
  private static let words = [
    ("MatMul", "Matmul"), ("NBits", "Nbits"), ("QLinear", "Qlinear"), ("PRelu", "Prelu"), ("NaN", "Nan"),
    ("Col2Im", "Col2im"), ("GLU", "Glu"), ("SwiGlu", "Swiglu"), ("QMoE", "Qmoe"), ("MoE", "Moe"), ("2D", "2d"),
  ]

  /// Operators that are another one's older or vendor name.
  private static let synonyms = ["scatter": "scatter_elements", "upsample": "resize"]

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
