import ArgumentParser
import Kernels
import Reports

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `tandem hw`: what this machine offers.
struct Hardware: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hw",
    abstract: "Shows what this machine offers to kernels.",
    discussion: """
      For reports of speed, which mean little without it:

        tandem hw --json
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  private struct Report: Encodable {
    let cores: Int
    let architecture: String
    let features: [String]
    let memoryBytes: Int
  }

  func run() throws {
    let pages = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let report = Report(
      cores: ThreadPool.processorCount, architecture: Self.architecture, features: CPUFeatures.current.names,
      memoryBytes: pages)
    let text = """
      cores         \(report.cores)
      architecture  \(report.architecture)
      features      \(report.features.joined(separator: " "))
      memory        \(Quantity.bytes(report.memoryBytes))

      """
    try StandardStream.output.write(json ? try JSONText.encode(report) : text)
  }

  private static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "aarch64"
    #else
      "other"
    #endif
  }
}
