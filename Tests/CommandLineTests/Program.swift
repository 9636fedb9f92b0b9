import Foundation

/// The built `tandem` program, run as a user runs it.
struct Program {
  struct Outcome {
    let status: Int32
    let output: String
    let error: String
  }

  /// Beside the test bundle.
  static let path: String = {
    var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    while folder.path != "/" {
      let candidate = folder.appending(path: "tandem").path
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue {
        return candidate
      }
      folder.deleteLastPathComponent()
    }
    return "tandem"
  }()

  /// - Parameters:
  ///   - input: what the program reads from standard input.
  ///   - environment: what is added to that of the tests.
  ///   - byteCount: after how many bytes of output Ctrl-C is pressed; nil for never.
  static func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:],
    interruptedAfter byteCount: Int? = nil
  ) throws -> Outcome {
    let process = Process()
    let (standardInput, output) = (Pipe(), Pipe())
    let errorFile = Scratch.path("stderr")
    _ = FileManager.default.createFile(atPath: errorFile, contents: nil)
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    // Help is laid out for the width of the terminal.
    process.environment = ProcessInfo.processInfo.environment.merging(["COLUMNS": "80"]) { $1 }
      .merging(environment) { $1 }
    process.standardInput = standardInput
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: errorFile)
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    var text = Data()
    if let byteCount {
      while text.count < byteCount {
        let some = output.fileHandleForReading.availableData
        if some.isEmpty { break }
        text += some
      }
      process.interrupt()
    }
    text += output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let errors = try Data(contentsOf: URL(filePath: errorFile))
    return Outcome(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      error: String(decoding: errors, as: UTF8.self))
  }
}
