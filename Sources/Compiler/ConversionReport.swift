public import GraphIR
public import PlanFormat

/// What a conversion did.
public struct ConversionReport: Sendable {
  /// One stage: importing, a pass, planning.
  public struct Stage: Sendable {
    public let name: String
    public let seconds: Double
    public let nodeCount: Int
    /// What a pass did and missed; nil for other stages.
    public let record: PassRecord?
  }

  public internal(set) var stages: [Stage] = []
  /// What leaves out the passes and stages that did not run, by their names.
  public internal(set) var absences: [String: String] = [:]
  /// The module after the last stage.
  public internal(set) var module: Module
  /// The plan that was written, if one was.
  public internal(set) var program: Program?
  public internal(set) var planByteCount = 0
  /// Whether the plan can run from text.
  public internal(set) var hasTokenizer = false

  /// Forgets the module, and with it the memory of its constants.
  public mutating func releaseModule() { module = Module() }

  /// What each pass missed.
  public var misses: [(pass: String, miss: PassMiss)] {
    stages.flatMap { stage in (stage.record?.misses ?? []).map { (stage.name, $0) } }
  }

  /// What passes had to say, and trials of the plan.
  public var notes: [String] { stages.flatMap { $0.record?.notes ?? [] } + trialNotes }
  var trialNotes: [String] = []

  /// What backs up what passes decided, such as tables of choices.
  public var details: [String] { stages.flatMap { $0.record?.details ?? [] } }
}
