import Foundation

/// A name under which kernels are listed, with the features of the processor that it stands for.
public struct InstructionSet: Sendable, Equatable {
  /// As in `kernels.def`: `portable`, `avx2`, ...
  public let name: String
  public let features: CPUFeatures

  /// Those for which there are kernels, the widest last.
  private static let known: [InstructionSet] = {
    var sets: [InstructionSet] = []
    for kernel in MicroKernel.all where !sets.contains(where: { $0.name == kernel.isa }) {
      sets.append(InstructionSet(name: kernel.isa, features: kernel.requiredFeatures))
    }
    return sets.sorted { $0.features.rawValue.nonzeroBitCount < $1.features.rawValue.nonzeroBitCount }
  }()

  /// Those that this machine runs; the first is `portable`.
  public static let available = known.filter { $0.features.isSubset(of: .current) }

  /// The environment variable that names the instruction set beyond which no kernel is chosen.
  public static let variable = "TANDEM_ISA"

  private static let setting = Result { () throws(KernelError) in
    try named(ProcessInfo.processInfo.environment[variable] ?? "")
  }

  /// The one that ``variable`` names; nil when it is not set.
  ///
  /// - Throws: when there is none of that name, or this machine does not run it.
  public static func forced() throws(KernelError) -> InstructionSet? { try setting.get() }

  static func named(_ name: String) throws(KernelError) -> InstructionSet? {
    if name.isEmpty { return nil }
    if let set = available.first(where: { $0.name == name }) { return set }
    let problem = known.contains { $0.name == name } ? ", which this machine does not run" : ""
    let accepted = available.map { "'\($0.name)'" }.joined(separator: ", ")
    throw .invalid("\(variable) is '\(name)'\(problem); accepted here are \(accepted)")
  }
}

extension CPUFeatures {
  /// The features that kernels may use: those of this machine, or less by ``InstructionSet/variable``.
  static let usable: CPUFeatures = {
    do {
      return try InstructionSet.forced()?.features ?? .current
    } catch {
      // Who starts a program or an executor reports the error.
      return []
    }
  }()
}
