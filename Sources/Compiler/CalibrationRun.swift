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
  private let text: String?
  private let threadCount: Int
  var tokenizer: Tokenizer?

  /// - Parameter text: a file to calibrate with; nil lets the model write.
  init(_ module: Module, _ text: String?, threadCount: Int) {
    (self.module, self.text, self.threadCount) = (module, text, threadCount)
  }

  /// - Parameter folder: where a plan is written for a moment.
  func run(folder: String, progress: (Double) -> Void) throws -> HiddenStates {
    var options = Calibrator.Options()
    options.prefix = tokenizer?.encode("", addSpecialTokens: true) ?? []
    options.endOfText = Set(tokenizer?.endOfTextIDs ?? [])
    let source = try source()
    let file = Self.cacheFolder.map { $0.appending(path: "\(key(options, source)).npy") }
    let fitted = { (rows: Int) in HiddenStates.fittedCount(rows, length: options.length) }
    if let file, let rows = try? NPY.read(file.path), rows.element == .f32, rows.rank == 2 {
      return HiddenStates(rows, fittedCount: fitted(rows.shape[0]), origin: origin(rows.shape[0], options))
    }
    let rows = try Calibrator(module, options, folder: folder, pool: ThreadPool(threadCount: threadCount))
      .collect(source, progress: progress)
    if let file { keep(rows, in: file) }
    return HiddenStates(rows, fittedCount: fitted(rows.shape[0]), origin: origin(rows.shape[0], options))
  }

  private func source() throws -> Calibrator.Source {
    guard let text else { return .generated }
    guard let tokenizer else {
      throw Calibrator.Failure(description: "a calibration text needs a tokenizer: give --tokenizer tokenizer.json")
    }
    let file = try MappedFile(text)
    guard let content = withExtendedLifetime(file, { String(validating: file.bytes, as: UTF8.self) }) else {
      throw Calibrator.Failure(description: "'\(text)': is no UTF-8 text")
    }
    return .tokens(tokenizer.encode(content, addSpecialTokens: false))
  }

  private func origin(_ count: Int, _ options: Calibrator.Options) -> String {
    text.map { "\(count) tokens of '\(($0 as NSString).lastPathComponent)'" }
      ?? "\(count) tokens of its own, seed \(options.seed)"
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
    add(Module(functions: [module.main]).text)
    for (name, tensor) in module.constants.sorted(by: { $0.key < $1.key }) {
      add("\(name) \(tensor.type)")
      withExtendedLifetime(tensor) { hash.update(bufferPointer: tensor.bytes) }
    }
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
