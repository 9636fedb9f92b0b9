public import GraphIR

extension RewritePass {
  /// One spelling for what exporters write in many ways, and nothing for what changes nothing; bits stay as
  /// they are.
  ///
  /// Later rules may rely on: no identity, cast, transpose, reshape, expand, slice, concat or split that does
  /// nothing; no chains of casts, transposes or reshapes that one can express; constant operands of `add` and
  /// `mul` on the right.
  public static let canonicalize = RewritePass(
    "canonicalize", "Brings equal computations to one spelling.", fidelity: .exact,
    rules: [
      DropIdentity(), DropCast(), MergeCasts(), DropTranspose(), MergeTransposes(), DropReshape(),
      MergeReshapes(), DropMovement(), DropSlice(), DropConcatOperands(), DropNeutralOperand(),
      ConstantToTheRight(), DropStatistics(),
    ])
}
