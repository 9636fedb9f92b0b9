import Calibration
import Crypto
import Foundation
import GraphIR
import Kernels
import Passes
import Tensors
import Tokenization

/// One calibration of a module: kept in the user's cache folder under a hash of everything that it depends on.
struct CalibrationRun {
  private let module: Module
  private let taps: [ValueID]
  private let count: Int
  private let text: String?
  private let threadCount: Int
  var tokenizer: Tokenizer?
  /// Positions that the model has: sequences are no longer.
  var context = Int.max

  /// - Parameters:
  ///   - taps: the values whose rows are collected.
  ///   - count: rows of each.
  ///   - text: a file to calibrate with; nil lets the model write.
  init(_ module: Module, _ taps: [ValueID], count: Int, _ text: String?, threadCount: Int) {
    (self.module, self.taps, self.count) = (module, taps, count)
    (self.text, self.threadCount) = (text, threadCount)
  }

  /// - Parameter folder: where a plan is written for a moment.
  func run(folder: String, progress: (Double) -> Void) throws -> [HiddenStates] {
    let (options, source) = (options, try source())
    let key = key(options, source)
    let files = taps.indices.map { index in
      Self.cacheFolder.map { $0.appending(path: taps.count == 1 ? "\(key).npy" : "\(key).\(index).npy") }
    }
    if let kept = Self.kept(files) { return kept.map { states($0, options) } }
    let rows = try Calibrator(
      module, taps, options, folder: folder, pool: ThreadPool(threadCount: threadCount)
    ).collect(source, progress: progress).rows
    for (file, rows) in zip(files, rows) { if let file { keep(rows, in: file) } }
    return rows.map { states($0, options) }
  }

  private static let fewRows = 2048
  /// Sequences of each half of a trial, and their tokens.
  private static let trialTexts = 8, trialLength = 64

  /// Runs variants of the module on short texts: of the calibration text, or of its own.
  func trial(folder: String, progress: (Double) -> Void) throws -> LogitTrial {
    var options = options
    options.length = min(Self.trialLength, context)
    options.count = 2 * Self.trialTexts * options.length
    // Other texts than those that predictors are fitted to.
    options.seed += 1 << 32
    let texts = try Calibrator(
      module, [], options, folder: folder, pool: ThreadPool(threadCount: threadCount)
    ).collect(try source(), progress: progress).texts
    return LogitTrial(texts, folder: folder, threadCount: threadCount)
  }

  private func states(_ rows: Tensor, _ options: Calibrator.Options) -> HiddenStates {
    HiddenStates(
      rows, fittedCount: HiddenStates.fittedCount(rows.shape[0], length: options.length),
      origin: origin(rows.shape[0], options))
  }

  /// What was kept of all taps.
  private static func kept(_ files: [URL?]) -> [Tensor]? {
    var kept: [Tensor] = []
    for file in files {
      guard let file, let rows = try? NPY.read(file.path), rows.element == .f32, rows.rank == 2 else {
        return nil
      }
      kept.append(rows)
    }
    return kept
  }

  private func source() throws -> Calibrator.Source {
    guard let text else { return .generated }
    guard let tokenizer else {
      throw Calibrator.Failure(
        description: "a calibration text needs a tokenizer: give --tokenizer tokenizer.json")
    }
    let file = try MappedFile(text)
    guard let content = withExtendedLifetime(file, { String(validating: file.bytes, as: UTF8.self) }) else {
      throw Calibrator.Failure(description: "'\(text)': is no UTF-8 text")
    }
    let tokens = tokenizer.encode(content, addSpecialTokens: false)
    if tokens.isEmpty { throw Calibrator.Failure(description: "'\(text)': there is no text in it") }
    return .tokens(tokens)
  }

  private func origin(_ count: Int, _ options: Calibrator.Options) -> String {
    text.map { "\(count) tokens of '\(PathParts.name(of: $0))'" }
      ?? "\(count) tokens of its own, seed \(options.seed)"
  }

  private var options: Calibrator.Options {
    var options = Calibrator.Options()
    options.count = count
    // Few rows are those of short texts.
    if count < Self.fewRows { options.length = Self.trialLength }
    options.length = min(options.length, context)
    options.prefix = tokenizer?.encode("", addSpecialTokens: true) ?? []
    options.endOfText = Set(tokenizer?.endOfTextIDs ?? [])
    return options
  }

  // MARK: Keeping

  /// `$XDG_CACHE_HOME/tandem` or `~/.cache/tandem`; nil where there is no home.
  private static var cacheFolder: URL? {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].map { URL(filePath: $0) }
      ?? environment["HOME"].map { URL(filePath: $0).appending(path: ".cache") }
    return base?.appending(path: "tandem")
  }

  /// What the hidden states depend on: the function, every constant, and what goes through it.
  private func key(_ options: Calibrator.Options, _ source: Calibrator.Source) -> String {
    var hash = SHA256()
    func add(_ text: String) { hash.update(data: Data(text.utf8)) }
    var single = Module(functions: [module.main], constants: module.constants)
    single.removeUnusedConstants()
    add(Module(functions: [module.main]).text)
    for (name, tensor) in single.constants.sorted(by: { $0.key < $1.key }) {
      add("\(name) \(tensor.type)")
      withExtendedLifetime(tensor) { hash.update(bufferPointer: tensor.bytes) }
    }
    let graph = module.main.graph
    add(taps.map { graph[$0].name }.joined(separator: " "))
    add("\(options.count) \(options.length) \(options.seed) \(options.prefix) \(options.endOfText.sorted())")
    if case .tokens(let tokens) = source { tokens.withUnsafeBytes { hash.update(bufferPointer: $0) } }
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }

  /// A cache that cannot be written is none; the next conversion calibrates again.
  private func keep(_ rows: Tensor, in file: URL) {
    guard let bytes = try? NPY.encoded(rows) else { return }
    try? FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? Data(bytes).write(to: file, options: .atomic)
  }
}
