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
      EliminateCommonSubexpressions(),
      EliminateDeadCode(),
      // Needs the joins that decomposition exposes.
      KeepCachesInPlace(),
      // After folding, so that transposed and derived matrices are seen as constants.
      FormLinear(),
      // Transposes and constants that the products no longer read.
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
