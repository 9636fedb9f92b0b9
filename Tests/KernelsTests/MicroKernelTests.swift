import Testing

@testable import Kernels

extension MicroKernel {
  /// The kernels of a family that this machine runs.
  static func runnable(_ family: String) -> [MicroKernel] {
    all.filter { $0.family == family && $0.isRunnable }
  }
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
      let stem = kernel.family.dropLast("_f32".count)
      #expect(kernel.name.hasPrefix("f32_\(stem)"))
      #expect(kernel.name.hasSuffix("__\(kernel.isa)"))
    }
    #expect(Set(MicroKernel.all.map(\.name)).count == MicroKernel.all.count)
  }
}
