public import Tensors

/// How a feed-forward block finds the neurons that matter: the attributes of `hire_feed_forward`.
///
/// Neurons form groups of `groupSize` neighbours. The first `commonGroups`, the common path, are always candidates, and
/// no predictor reads them; the rest of `candidateGroups` are those with the highest first scores; `activeGroups` of
/// them, by exact scores, count.
public struct HireNeuronSettings: Sendable {
  public let activation: Activation
  public let groupSize: Int
  public let commonGroups: Int
  public let candidateGroups: Int
  public let activeGroups: Int
  /// Whether all candidates count: what a predictor does not find is missed then, not left out.
  public let keepsCandidates: Bool
  /// What is done to gates before the activation.
  public let cutoff: GateCutoff?
  /// The form of the predictor; nil when groups are found by exact gates.
  public let panels: ScanPanels?
  /// Whether the predictor has a row for each group, the mean of its neurons' rows, not one for each neuron.
  public let scansGroups: Bool
  /// Neurons of a token that pass bounds, and whose h is not 0, as far as calibration told.
  private let expectedCandidates: Int?, expectedActive: Int?
  /// Numbers of a row of the result.
  public let outputs: Int
  /// How the columns of down are stored.
  public let columns: BlockColumns

  public init<Failure: Error>(
    _ attributes: Attributes, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) {
    activation = try Activation(attributes, orThrow: error)
    func number(_ name: String, _ range: ClosedRange<Int>, default value: Int? = nil) throws(Failure) -> Int {
      guard let number = attributes.int(name) ?? value, range.contains(number) else {
        let found = attributes.int(name).map { "\($0)" } ?? "missing"
        let accepted = range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range)"
        throw error("'\(name)' is \(found), accepted is \(accepted)")
      }
      return number
    }
    groupSize = try number("group_size", 1...(.max))
    candidateGroups = try number("candidate_groups", 1...(.max))
    commonGroups = try number("common_groups", 0...candidateGroups, default: 0)
    activeGroups = try number("active_groups", 1...candidateGroups, default: candidateGroups)
    keepsCandidates = attributes["active_groups"] == nil
    expectedCandidates = attributes.int("expected_candidates")
    expectedActive = attributes.int("expected_active")
    let scanned = attributes.string("scan_of", default: "neurons")
    guard ["neurons", "groups"].contains(scanned) else {
      throw error("'scan_of' is \"\(scanned)\", accepted are \"neurons\" and \"groups\"")
    }
    scansGroups = scanned == "groups"
    cutoff = GateCutoff(attributes)
    outputs = try number("outputs", 1...(.max))
    columns = try attributes.blockColumns("down_format", rows: outputs, orThrow: error)
    guard attributes["scan_rank"] != nil || attributes["scan_bits"] != nil else {
      panels = nil
      return
    }
    let (rank, bits) = (try number("scan_rank", 8...(.max)), try number("scan_bits", 4...8))
    guard let panels = ScanPanels(rank: rank, bits: bits) else {
      throw error("'scan_rank' is \(rank) and 'scan_bits' \(bits), accepted are a multiple of 8, and 4 or 8")
    }
    self.panels = panels
  }

  /// The groups of so many neurons.
  public func groupCount<Failure: Error>(
    _ neurons: Int, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) -> Int {
    guard neurons % groupSize == 0, candidateGroups <= neurons / groupSize else {
      throw error("\(candidateGroups) groups of \(groupSize) do not fit \(neurons) neurons")
    }
    return neurons / groupSize
  }

  /// Rows of up and of gate that a token has computed exactly, and columns of down that it adds up.
  public struct Counts: Sendable {
    public let up: Int, gate: Int, active: Int
  }

  /// How many neurons of a token count.
  public enum Occupancy: Sendable {
    /// As many as there may be.
    case most
    /// As many as calibration told, where it did.
    case expected
    /// As many as were counted (``NeuronTally``).
    case counted(candidates: Int, active: Int)
  }

  /// What a token computes of so many neurons.
  ///
  /// - Parameter isBounded: whether bounds tell what need not be computed.
  public func counts(
    _ neurons: Int, isScanned: Bool, isGated: Bool, isBounded: Bool, _ occupancy: Occupancy
  ) -> Counts {
    let chosen = min(neurons, candidateGroups * groupSize)
    var (active, bounded, weighed) = (min(neurons, activeGroups * groupSize), neurons, chosen)
    switch occupancy {
    case .most: break
    case .expected:
      active = min(active, expectedActive ?? active)
      bounded = expectedCandidates ?? bounded
      weighed = min(chosen, expectedActive ?? chosen)
    case .counted(let candidates, let counted):
      (active, bounded, weighed) = (counted, candidates, isBounded ? counted : candidates)
    }
    let deciding = isBounded ? bounded : isScanned ? chosen : neurons
    // Gates that are known to be 0 need no products with up.
    return Counts(
      up: isGated ? (isScanned ? chosen : weighed) : deciding, gate: isGated ? deciding : 0, active: active)
  }

  /// Checks that neurons may be left out whose upper bounds are below 0: ReLU makes them 0, and all others count.
  public func checkBounds<Failure: Error>(
    _ format: BlockFormat, neurons: Int, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) {
    guard format.quantizesActivations else {
      throw error("'bound_format' is \"\(format)\", accepted are formats of blocks")
    }
    guard activation.isZeroBelowZero, panels == nil, cutoff == nil, keepsCandidates,
      candidateGroups * groupSize == neurons
    else {
      throw error(
        "'bound_format' is given for a block with a choice of neurons or with '\(activation.rawValue)', accepted is ReLU,"
          + " all neurons candidates")
    }
  }

  /// Rows of the predictor of so many neurons: those of the common path have none.
  public func scanRows(_ neurons: Int) -> Int {
    scansGroups ? neurons / groupSize - commonGroups : neurons - commonGroups * groupSize
  }
}
