public import GraphIR

extension RewritePass {
  /// Products with constant matrices become one operator, whose rows can be packed for streaming.
  public static let formLinear = RewritePass(
    "form-linear", "Makes products with constant matrices one operator, with their bias.",
    fidelity: .rounding,
    rules: [LinearFromMatMul(), LinearFromGemm(), AbsorbBias(), UnfoldRows()])
}
