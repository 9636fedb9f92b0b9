import Calibration
import Crypto
import Foundation
import Generation
import GraphIR
import Kernels
import ONNXFormat
import ONNXImport
import Operators
import Passes
import PlanFormat
import Planning
import Tensors
import Tokenization

/// Converts an exported model into a plan: import, passes, planning, writing.
public struct Conversion {
  /// Where a conversion is: the stage, and its share that is done when it can tell.
  public struct Progress: Sendable {
    public let stage: String
    public let fraction: Double?
  }

  private let options: ConversionOptions
  private let progress: (Progress) -> Void
  /// Receives the text of the stage that ``ConversionOptions/printAfter`` names.
  private let printed: (String) -> Void

  public init(
    _ options: ConversionOptions, progress: @escaping (Progress) -> Void = { _ in },
    printed: @escaping (String) -> Void = { _ in }
  ) {
    self.options = options
    self.progress = progress
    self.printed = printed
  }

  /// Runs the conversion.
  ///
  /// - Throws: ``CompilerError``, ``ImportError``, ``TokenizationError`` or ``FileError``; no plan is left
  ///   behind then.
  public func run() throws -> ConversionReport {
    try checkOptions()
    var stage = StageClock()
    progress(Progress(stage: "import", fraction: nil))
    var report = ConversionReport(module: try readModule())
    report.absences = try options.absences()
    let context = try contextLength(report.module)
    // Kept with the module, so that a stage that is dumped and converted later knows them.
    report.module.metadata["context_length"] = "\(context)"
    if let path = tokenizerPath(report.module) {
      report.module.metadata[Self.tokenizerKey] = URL(fileURLWithPath: path).standardizedFileURL.path
    }
    let tokenizer = try options.output == nil ? nil : readTokenizer(report.module)
    report.stages.append(stage.lap("import", report.module))
    try observe(0, "import", report.module)
    if options.stopAfter != "import" {
      let passes = try options.activeStages()
      var patches = PatchLog(limit: options.patchLimit)
      for (index, pass) in passes.enumerated() {
        progress(Progress(stage: pass.name, fraction: Double(index) / Double(passes.count)))
        let before = options.printAfter == ConversionOptions.printChanged ? report.module.body : nil
        let record = try run(try calibrated(pass.pass, report.module), on: &report.module, &patches)
        note(record, in: &report.module)
        report.stages.append(stage.lap(pass.name, report.module, record))
        try observe(index + 1, pass.name, report.module, before: before)
        if options.stopAfter == pass.name { break }
      }
    }
    if let output = options.output, options.stopAfter == nil {
      do {
        try write(output, tokenizer, &report)
      } catch let error as Planner.Failure {
        throw CompilerError(code: .unsupported, message: "'\(options.model)': \(error.message)")
      }
      report.stages.append(stage.lap("plan", report.module))
    }
    return report
  }

  // MARK: Stages

  private func checkOptions() throws(CompilerError) {
    try options.check()
    if let output = options.output {
      for source in [options.model, options.tokenizer, options.tandem, options.calibration].compactMap({ $0 })
      where FileReplacement.isSameFile(output, source) { throw .overwrites(output) }
    }
  }

  private func readModule() throws -> Module {
    guard !PlanFile.isPlan(path: options.model) else { throw CompilerError.isPlan(options.model) }
    var module =
      options.model.hasSuffix(".ir")
      ? try Module(contentsOf: options.model, operators: OperatorSet.standard)
      : try Module(importing: options.model)
    guard let path = options.tandem else { return module }
    guard module.functions.count == 1 else { throw CompilerError.joinedAlready(options.model, path) }
    let small = try Module(importing: path)
    do throws(Miss) {
      try module.join(small: small)
    } catch {
      throw CompilerError.noPair(options.model, small: path, error.reason)
    }
    module.metadata["tandem_source"] = PathParts.name(of: path)
    // Kept with the module, as the file is not there any more where a stage is taken up again.
    module.metadata["tandem-sha256"] = try Self.digest(of: path)
    return module
  }

  /// Runs one pass and verifies what it left. Where that fails, what it was given is kept in a file.
  private func run(
    _ pass: any Pass, on module: inout Module, _ patches: inout PatchLog
  ) throws -> PassRecord {
    do throws(PipelineError) {
      return try PassPipeline([pass]).run(on: &module, operators: OperatorSet.standard, patches: &patches)[0]
    } catch {
      let kept: String
      switch error {
      case .failed(_, _, let before), .broken(_, _, let before):
        // One that is taken up again is there already.
        guard !options.model.hasSuffix(Reproducer.suffix) else {
          kept = ""
          break
        }
        let reproducer = try Reproducer(before, pass: pass.name, message: "\(error)", stem: reproducerStem)
        kept = "; '\(reproducer.path)' takes it up again"
      case .unknownPass: kept = ""
      }
      if case .broken = error { throw CompilerError(code: .internalFault, message: "\(error)\(kept)") }
      throw CompilerError(code: .invalidInput, message: "'\(options.model)': \(error)\(kept)")
    }
  }

  /// The pass with the rows that it works from, if it does.
  private func calibrated(_ pass: any Pass, _ module: Module) throws -> any Pass {
    guard let pass = pass as? any CalibratedPass else { return pass }
    let taps: [ValueID]
    do throws(Miss) {
      taps = try pass.taps(module.main.graph)
    } catch {
      throw CompilerError(
        code: .invalidInput, message: "'\(options.model)': \(pass.name) cannot be calibrated: \(error.reason)"
      )
    }
    let tries = (pass as? any TryingPass)?.wantsTrial ?? false
    guard !taps.isEmpty || tries else { return pass }
    let threads = MachineDescription.current.processorCount
    var calibration = CalibrationRun(
      module, taps, count: pass.calibratedCount, options.calibration, threadCount: threads)
    calibration.context = min(try contextLength(module), Self.tabulatedPositions(module))
    if let path = tokenizerPath(module) { calibration.tokenizer = try readTokenizer(at: path) }
    let folder = options.output.map { PathParts.folder(of: $0) } ?? NSTemporaryDirectory()
    do {
      let calibrating: (Double) -> Void = { progress(Progress(stage: "calibrate", fraction: $0)) }
      let states =
        taps.isEmpty ? [] : try calibration.run(folder: folder, progress: calibrating)
      let calibrated = pass.calibrated(by: states, threadCount: threads)
      guard tries, let trying = calibrated as? any TryingPass else { return calibrated }
      let trial = try calibration.trial(folder: folder, progress: calibrating)
      let listener = ProgressListener(report: progress)
      return trying.trying { variants, isHeldOut in
        try trial.divergences(variants, isHeldOut: isHeldOut) { listener.hear(isHeldOut, $0) }
      }
    } catch let error as Calibrator.Failure {
      throw CompilerError(code: .invalidInput, message: "'\(options.model)': \(error)")
    }
  }

  /// Beside the plan that was to be, else in the folder of the stages, else in the current one.
  private var reproducerStem: String {
    if let output = options.output { return output }
    let name = (PathParts.name(of: options.model) as NSString).deletingPathExtension
    return options.dumpStages.map { "\($0)/\(name)" } ?? name
  }

  /// Keeps the trail of passes with the module: what the ledger and the provenance of a plan are made of.
  private func note(_ record: PassRecord, in module: inout Module) {
    func append(_ entry: String, to key: String) {
      module.metadata[key] = [module.metadata[key], entry].compactMap { $0 }.joined(separator: ",")
    }
    append(record.name, to: Self.pipelineKey)
    if record.fidelity != .exact, record.statistics.values.contains(where: { $0 > 0 }) {
      append("\(record.name):\(record.fidelity)", to: Self.ledgerKey)
      module.metadata[Self.ledgerKey + ".\(record.name).wanted"] = record.budget?.wanted
      module.metadata[Self.ledgerKey + ".\(record.name).measured"] = record.budget?.measured
    }
  }

  private static let pipelineKey = "pipeline"
  static let ledgerKey = "ledger"
  /// Where the tokenizer lies: for stages alone, a plan holds the tokenizer.
  private static let tokenizerKey = "tokenizer"

  /// - Parameter before: the body of the module before a pass, where it is to be printed if that changed it.
  private func observe(_ index: Int, _ name: String, _ module: Module, before: String? = nil) throws {
    if let before {
      let text = module.body
      if text != before { printed("// after \(name)\n\(text)") }
    } else if options.printAfter == name {
      printed(module.text)
    }
    guard let folder = options.dumpStages else { return }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(path: folder, doing: "create the folder", message: error.localizedDescription)
    }
    try module.write(to: "\(folder)/\(String(format: "%02d", index))-\(name).ir")
  }

  /// The tokenizer that is asked for, or the one beside the model, or beside the model of which this is a
  /// stage.
  private func tokenizerPath(_ module: Module) -> String? {
    if let path = options.tokenizer { return path }
    return [modelFolder + "/tokenizer.json", module.metadata[Self.tokenizerKey]].compactMap { $0 }
      .first { FileManager.default.fileExists(atPath: $0) }
  }

  private func readTokenizer(_ module: Module) throws -> [UInt8]? {
    guard let path = tokenizerPath(module) else { return nil }
    progress(Progress(stage: "tokenizer", fraction: nil))
    return try readTokenizer(at: path).serialized()
  }

  private func readTokenizer(at path: String) throws -> Tokenizer {
    guard FileManager.default.fileExists(atPath: path) else { throw CompilerError.noTokenizer(path) }
    return try Tokenizer(compiling: try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private var modelFolder: String { PathParts.folder(of: options.model) }

  private func write(_ output: String, _ tokenizer: [UInt8]?, _ report: inout ConversionReport) throws {
    if report.module.functions.contains(where: { $0.name == TandemPair.refresh }) {
      let context = try planContext(report.module)
      guard context >= DraftTrial.leastContext else {
        throw CompilerError.shortContext(context, least: DraftTrial.leastContext)
      }
    }
    var drafts: [Entry] = []
    if options.derivesDrafter {
      let trial = try deriveDrafter(beside: output, report.module)
      (report.module, drafts) = (trial.module, trial.entries)
      report.trialNotes += trial.notes
    }
    let result = try Planner(report.module).plan()
    var program = result.program
    program.model = try modelEntries(report.module) + drafts
    program.provenance = try provenance(report.module)
    program.ledger = (report.module.metadata[Self.ledgerKey] ?? "").split(separator: ",").map { entry in
      let parts = entry.split(separator: ":").map(String.init)
      return LedgerEntry(
        pass: parts[0], fidelity: parts.count > 1 ? parts[1] : "",
        budget: report.module.metadata["\(Self.ledgerKey).\(parts[0]).wanted"] ?? "",
        measured: report.module.metadata["\(Self.ledgerKey).\(parts[0]).measured"] ?? "")
    }
    if program.functions.contains(where: { $0.name == TandemPair.refresh }) {
      let trial = try tandemTrial(program, result.weights, beside: output, report.module)
      program.model += trial.entries
      report.trialNotes.append(trial.note)
    }
    let writer = try PlanWriter(path: output)
    let total = report.module.constants.values.reduce(0) { $0 + $1.byteCount }
    try writer.writeWeights(result.weights, of: &program) { done in
      progress(Progress(stage: "write", fraction: min(1, Double(done) / Double(max(total, 1)))))
    }
    if let tokenizer { try writer.writeTokenizer(tokenizer) }
    try writer.finish(program)
    report.program = program
    report.hasTokenizer = tokenizer != nil
    report.planByteCount = try MappedFile(output).bytes.count
  }

  /// What runs need to know of the model.
  private func modelEntries(_ module: Module) throws -> [Entry] {
    var entries = [Entry("context", "\(try planContext(module))")]
    if let feedForward = module.metadata["ffn"] { entries.append(Entry("ffn", feedForward)) }
    if let head = module.metadata["head"] {
      entries += [Entry("head", head), Entry("head_k", module.metadata["head_k"] ?? "")]
      entries.append(Entry("exact", options.exact.rawValue))
    }
    return entries
  }

  private func planContext(_ module: Module) throws -> Int {
    min(try contextLength(module), Self.tabulatedPositions(module))
  }

  /// Finds out which drafter made of the model itself is the best, by trial.
  private func deriveDrafter(beside output: String, _ module: Module) throws -> DerivedTrial {
    try DerivedTrial(
      module, model: try modelEntries(module), context: try planContext(module),
      tokenizer: try tokenizerPath(module).map { try readTokenizer(at: $0) },
      folder: PathParts.folder(of: output),
      threadCount: MachineDescription.current.processorCount
    ) { progress(Progress(stage: "try drafts", fraction: $0)) }
  }

  /// Measures what the small model brings, on a plan that is there for a moment.
  private func tandemTrial(
    _ program: Program, _ weights: [Planner.LazyWeight], beside output: String, _ module: Module
  ) throws -> TandemTrial {
    progress(Progress(stage: "try drafts", fraction: nil))
    let folder = PathParts.folder(of: output)
    let tokenizer = try tokenizerPath(module).map { try readTokenizer(at: $0) }
    return try TandemTrial(
      try PlanFile(temporary: program, weights, folder: folder), tokenizer: tokenizer,
      threadCount: MachineDescription.current.processorCount)
  }

  // MARK: Facts

  /// Positions that caches hold: what the caller asks for, what the model or its `config.json` says, or 4096.
  private func contextLength(_ module: Module) throws(CompilerError) -> Int {
    let known = module.metadata["context_length"].flatMap { Int($0) }
    if let length = options.maxContext {
      if module.functions.contains(where: { !$0.bounds.isEmpty }), let known, length != known {
        throw .specialized(options.model, context: known, asked: length)
      }
      return length
    }
    if let known, known > 0 { return known }
    struct Configuration: Decodable {
      var max_position_embeddings: Int?
      var n_positions: Int?
    }
    let path = URL(fileURLWithPath: modelFolder + "/config.json")
    if let data = try? Data(contentsOf: path),
      let values = try? JSONDecoder().decode(Configuration.self, from: data),
      let length = values.max_position_embeddings ?? values.n_positions, length > 0
    {
      return length
    }
    return 4096
  }

  /// Positions that every table of positions has: exporters write them for the context of the model.
  private static func tabulatedPositions(_ module: Module) -> Int {
    var count = Int.max
    for function in module.functions {
      for id in function.graph.order {
        let node = function.graph[id]
        let table = ["self_attention": 5, "embedding": 3][node.operation]
        guard let table, table < node.operands.count, let value = node.operands[table],
          let rows = function.graph[value].type.shape.first?.constant
        else { continue }
        count = min(count, rows)
      }
    }
    return count
  }

  private func provenance(_ module: Module) throws -> [Entry] {
    [
      Entry("source", PathParts.name(of: options.model)),
      Entry("source-sha256", try Self.digest(of: options.model)),
      Entry("weights", options.weights.rawValue),
    ]
      + module.metadata.filter { !$0.key.hasPrefix(Self.ledgerKey) && $0.key != Self.tokenizerKey }.sorted {
        $0.key < $1.key
      }
      .map { Entry($0.key, $0.value) }
  }

  private static func digest(of path: String) throws -> String {
    var hash = SHA256()
    let file = try MappedFile(path)
    withExtendedLifetime(file) { hash.update(bufferPointer: file.bytes) }
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }
}

/// Who hears of the progress of trials, on the thread that converts.
private struct ProgressListener: @unchecked Sendable {
  let report: (Conversion.Progress) -> Void

  func hear(_ isHeldOut: Bool, _ fraction: Double) {
    report(.init(stage: isHeldOut ? "try on other texts" : "try blocks", fraction: fraction))
  }
}

/// Times stages one after the other.
private struct StageClock {
  private var start = ContinuousClock.now

  mutating func lap(_ name: String, _ module: Module, _ record: PassRecord? = nil) -> ConversionReport.Stage {
    let now = ContinuousClock.now
    defer { start = now }
    let count = module.functions.reduce(0) { $0 + $1.graph.order.count }
    return .init(name: name, seconds: (now - start) / .seconds(1), nodeCount: count, record: record)
  }
}

extension Module {
  /// The text without the metadata, to which every pass adds its name.
  fileprivate var body: String { Module(functions: functions, constants: constants).text }
}
