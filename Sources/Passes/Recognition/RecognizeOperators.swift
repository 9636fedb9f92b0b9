public import GraphIR

extension RewritePass {
  /// Finds the operators that exporters for older opsets spell as primitives: activations and normalizations.
  public static let recognizeOperators = RewritePass(
    "recognize-operators", "Recognizes activations and normalizations that are spelled as primitives.",
    fidelity: .rounding,
    rules: [
      RecognizeRelu(), RecognizeSwish(), RecognizeGelu(), RecognizeRMSNorm(), ScaleNorm(), NarrowNorm(),
      CenterNorm(), BiasNorm(),
    ])
}
