public import GraphIR

extension RewritePass {
  /// Turns operators that dequantize constants as they go into ordinary ones over a constant expression that
  /// dequantizes.
  public static let exposeQuantizedWeights = RewritePass(
    "expose-quantized-weights", "Separates block-quantized weights from the operators that read them.",
    fidelity: .rounding, rules: [SeparateQuantizedMatrix(), SeparateQuantizedTable()])
}
