public import GraphIR

/// A pass that works from rows of values seen while the model runs.
public protocol CalibratedPass: Pass {
  /// Rows to collect.
  var calibratedCount: Int { get }

  /// The values of the main function whose rows it needs, `[B, S, K]` each; none where it has nothing to do.
  func taps(_ graph: Graph) throws(Miss) -> [ValueID]

  /// The same pass with the rows of its taps.
  ///
  /// - Parameter threadCount: threads for its search.
  func calibrated(by states: [HiddenStates], threadCount: Int) -> any Pass
}
