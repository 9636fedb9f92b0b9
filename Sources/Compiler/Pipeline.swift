public import GraphIR
public import Passes

/// The passes in order, each with the reason for its place.
public enum Pipeline {
  public static var standard: PassPipeline { standard(.automatic) }

  /// - Parameters:
  ///   - weights: how matrices are stored.
  ///   - caches: what makes caches smaller.
  ///   - sparse: what makes parts of the model sparse, after everything else.
  public static func standard(
    _ weights: QuantizeWeights.Policy, caches: [any Pass] = [], sparse: [any Pass] = []
  ) -> PassPipeline {
    let beforePhases: [any Pass] = [
      // Small and large model apart: everything after sees ordinary functions.
      SplitTandem(),
      // Composites first: everything after sees one spelling.
      DecomposeComposites(),
      // Exporters compute shapes from shapes; what is known by now becomes constants.
      FoldConstants(),
      // One spelling, now that shapes are known; equal nodes are then seen to be equal.
      RewritePass.canonicalize,
      // Nothing is kept for its shape alone, so that what is replaced later goes away as a whole.
      RewritePass.anchorShapes,
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
      // Before products are formed, which are to read the weights alone.
      RewritePass.exposeQuantizedWeights,
      // The forms that recognition knows.
      RewritePass.simplifyArithmetic,
      RewritePass.recognizeOperators,
      // After folding, so that transposed and derived matrices are seen as constants.
      RewritePass.formLinear,
      // Products are where exporters merge rows; reshapes that undo each other meet now, and
      // canonicalization drops them.
      RewritePass.unmergeRows,
      RewritePass.canonicalize,
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
      // Embedding and head; positions are then seen to be added to the embedding.
      RewritePass.fuseEnds,
      RecognizePositions(),
      // Streams begin at products, heads are normalized by recognized norms.
      RecognizeAttention(),
      // Caches of what was not recognized.
      KeepCachesInPlace(),
      // What is left between attentions.
      RewritePass.fuseFeedForward,
      RewritePass.fuseResidual,
      // All products are formed; what reads one matrix then reads the same blocks.
      QuantizeWeights(weights),
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
    ]
    // Caches take their types before functions are copied that share them.
    return PassPipeline(beforePhases + caches + [SpecializePhases()] + sparse)
  }

  /// Passes that run when an option asks for them, and which does.
  static let asked = [
    (name: NarrowCaches().name, option: "--kv-cache f16"),
    (name: HireFeedForward().name, option: "--ffn hire"), (name: HireSoftmax().name, option: "--head hire"),
  ]

  /// Names of all passes, in order, each once.
  public static var passNames: [String] {
    var names: [String] = []
    for pass in standard(
      .automatic, caches: [NarrowCaches()], sparse: [HireFeedForward(), HireSoftmax()]
    ).passes where !names.contains(pass.name) {
      names.append(pass.name)
    }
    return names
  }
}
