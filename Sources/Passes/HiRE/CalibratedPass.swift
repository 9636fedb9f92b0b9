public import GraphIR
public import Tensors

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

/// Runs variants of a model on texts of its own: for each function but the first, the divergence KL(first || it) of its
/// logits, token by token, in nats.
///
/// - Parameters:
///   - variants: functions with the inputs and outputs of the model's main function, which is the first.
///   - isHeldOut: texts that no other run sees.
public typealias VariantTrial = @Sendable (_ variants: Module, _ isHeldOut: Bool) throws -> [RunningMean]

/// A pass that tries what it might do before it chooses.
public protocol TryingPass: CalibratedPass {
  var wantsTrial: Bool { get }

  /// The same pass with a way to try.
  func trying(by trial: @escaping VariantTrial) -> any Pass
}
