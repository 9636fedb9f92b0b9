/// Passes in the order in which they run.
///
/// Its text form is the names, joined by commas: `canonicalize,fuse-rms-norm`.
public struct PassPipeline: Sendable {
  public private(set) var passes: [any Pass]
  /// Whether the module is verified after every pass.
  public var verifiesEachPass: Bool
  /// Called after every pass, with its place in the pipeline, what it did, and the module as it left it:
  /// for printing and dumping.
  public var observer: (@Sendable (_ index: Int, _ record: PassRecord, _ module: Module) throws -> Void)?

  public init(_ passes: [any Pass], verifiesEachPass: Bool = true) {
    self.passes = passes
    self.verifiesEachPass = verifiesEachPass
  }

  /// Reads the text form.
  ///
  /// - Parameter available: passes that the text may name.
  public init(parsing text: String, available: [any Pass]) throws(PipelineError) {
    var passes: [any Pass] = []
    for part in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
      let name = String(part.drop { $0 == " " })
      guard let pass = available.first(where: { $0.name == name }) else {
        throw .unknownPass(name, accepted: available.map(\.name))
      }
      passes.append(pass)
    }
    self.init(passes)
  }

  public var text: String { passes.map(\.name).joined(separator: ",") }

  /// Leaves out every pass of that name.
  public mutating func disable(_ name: String) throws(PipelineError) {
    guard passes.contains(where: { $0.name == name }) else {
      throw .unknownPass(name, accepted: passes.map(\.name))
    }
    passes.removeAll { $0.name == name }
  }

  /// Leaves out passes that are less faithful than `ceiling`.
  public mutating func limit(to ceiling: Fidelity) { passes.removeAll { $0.fidelity > ceiling } }

  /// Runs the passes.
  ///
  /// - Returns: one record per pass.
  /// - Throws: ``PipelineError``, `failed` or `broken`; the module is then
  ///   as it was before the first pass.
  @discardableResult
  public func run(on module: inout Module, operators: OperatorTable) throws(PipelineError) -> [PassRecord] {
    var patches = PatchLog()
    return try run(on: &module, operators: operators, patches: &patches)
  }

  /// Runs the passes with a log of patches that may have a limit, and that other pipelines may go on with.
  public func run(
    on module: inout Module, operators: OperatorTable, patches: inout PatchLog
  ) throws(PipelineError) -> [PassRecord] {
    var current = module
    var records: [PassRecord] = []
    for (index, pass) in passes.enumerated() {
      let before = current
      let record = try run(pass, on: &current, operators: operators, patches: &patches)
      records.append(record)
      do {
        try observer?(index, record, current)
      } catch {
        throw .failed(pass: pass.name, cause: error, before: before)
      }
    }
    module = current
    return records
  }

  private func run(
    _ pass: any Pass, on module: inout Module, operators: OperatorTable, patches: inout PatchLog
  ) throws(PipelineError) -> PassRecord {
    let before = module
    let patchCount = patches.entries.count
    var context = PassContext(
      operators: operators, symbols: SymbolSource(unusedIn: module), patches: patches)
    let start = ContinuousClock.now
    do {
      try pass.run(on: &module, context: &context)
    } catch {
      throw .failed(pass: pass.name, cause: error, before: before)
    }
    let duration = ContinuousClock.now - start
    if verifiesEachPass {
      let violations = module.violations(operators: operators)
      if !violations.isEmpty { throw .broken(pass: pass.name, violations: violations, before: before) }
    }
    patches = context.patches
    return PassRecord(
      name: pass.name, fidelity: pass.fidelity, statistics: context.statistics, misses: context.misses,
      notes: context.notes, budget: context.budget, details: context.details,
      patches: Array(patches.entries.dropFirst(patchCount)), duration: duration)
  }
}

/// A pipeline that cannot be built, or a pass that failed.
public enum PipelineError: Error, CustomStringConvertible {
  case unknownPass(String, accepted: [String])
  /// The pass threw an error, or what observed it did; `before` is what it was given, to reproduce that.
  case failed(pass: String, cause: any Error, before: Module)
  /// The pass left a module that breaks invariants: our bug; `before` is what it was given, to reproduce
  /// that.
  case broken(pass: String, violations: [Violation], before: Module)

  public var description: String {
    switch self {
    case .unknownPass(let name, let accepted):
      "there is no pass '\(name)'; accepted are \(accepted.joined(separator: ", "))"
    case .failed(let pass, let cause, _): "pass '\(pass)': \(cause)"
    case .broken(let pass, let violations, _):
      "pass '\(pass)' broke the module:\n" + violations.map { "  \($0)" }.joined(separator: "\n")
    }
  }
}
