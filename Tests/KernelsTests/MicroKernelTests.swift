import Testing

@testable import Kernels

extension MicroKernel {
  /// The kernels of a family that this machine runs.
  static func runnable(_ family: String) -> [MicroKernel] {
    all.filter { $0.family == family && $0.isRunnable }
  }

  /// Those of them that round once per multiply-add.
  static func fused(_ family: String) -> [MicroKernel] { runnable(family).filter { $0.isa != "portable" } }
}

struct MicroKernelTests {
  @Test func everyFamilyStartsWithAPortableKernel() {
    for family in MicroKernel.families {
      let kernels = MicroKernel.all.filter { $0.family == family }
      #expect(kernels.first?.isa == "portable")
      #expect(kernels.first?.isRunnable == true)
      #expect(MicroKernel.best(family).isRunnable)
    }
  }

  @Test func namesTellElementFamilyAndInstructionSet() {
    for kernel in MicroKernel.all {
      let words = kernel.family.split(separator: "_")
      #expect(kernel.name.hasPrefix("\(words.last!)_\(words.dropLast().joined(separator: "_"))"))
      #expect(kernel.name.hasSuffix("__\(kernel.isa)"))
    }
    #expect(Set(MicroKernel.all.map(\.name)).count == MicroKernel.all.count)
  }
}
