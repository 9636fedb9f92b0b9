public import GraphIR
import Passes

/// The passes in order, each with the reason for its place.
public enum Pipeline {
  public static var standard: PassPipeline {
    PassPipeline([
      // Composites first: everything after sees one spelling.
      DecomposeComposites(),
      // Exporters compute shapes from shapes; what is known by now becomes constants.
      FoldConstants(),
      // One spelling, now that shapes are known; equal nodes are then seen to be equal.
      RewritePass.canonicalize,
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
      // Needs the joins that decomposition exposes.
      KeepCachesInPlace(),
      // Before products are formed, which are to read the weights alone.
      RewritePass.exposeQuantizedWeights,
      // The forms that recognition knows.
      RewritePass.simplifyArithmetic,
      RewritePass.recognizeOperators,
      // After folding, so that transposed and derived matrices are seen as constants.
      RewritePass.formLinear,
      // Products are where exporters merge rows; reshapes that undo each other meet now, and canonicalization
      // drops them.
      RewritePass.unmergeRows,
      // Values that are read for their sizes are then read by what needs them alone.
      RewritePass.anchorShapes,
      // What rewriting left in two spellings, twice or unused.
      RewritePass.canonicalize,
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
      // What reads products is known by now.
      RewritePass.fuseFeedForward,
      RewritePass.fuseEnds,
      // Before residual sums: positions that are added to the embedding are none.
      RecognizePositions(),
      RewritePass.fuseResidual,
      // Constants that only the separate operators read.
      EliminateDeadCode(),
      // Last: copies of the finished function.
      SpecializePhases(),
    ])
  }

  /// Names of all passes, in order, each once.
  public static var passNames: [String] {
    var names: [String] = []
    for pass in standard.passes where !names.contains(pass.name) { names.append(pass.name) }
    return names
  }
}
