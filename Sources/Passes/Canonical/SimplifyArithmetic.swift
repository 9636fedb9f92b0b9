public import GraphIR

extension RewritePass {
  /// Powers, quotients and sums that are cheaper, or that recognition knows, in another form; results may
  /// change by a rounding.
  public static let simplifyArithmetic = RewritePass(
    "simplify-arithmetic", "Writes powers and quotients as products, roots and reciprocals.",
    fidelity: .rounding,
    rules: [ExpandPower(), FormReciprocal(), DivideByRoot(), DropZeroSummand()])
}
