/// Every kernel by name: the list that dispatch, tests and benchmarks read.
public enum KernelTable {
  public static let entries: [String: KernelEntry] = {
    let families: [[KernelEntry]] = [
      ElementwiseKernels.unary,
      ElementwiseKernels.activations,
      ElementwiseKernels.binary,
      ElementwiseKernels.logic,
      ReductionKernels.entries,
      LinearAlgebraKernels.entries,
      NormalizationKernels.entries,
      ShapeKernels.entries,
      ReshapeKernels.entries,
      JoinKernels.entries,
      [SliceKernel.entry, PadKernel.entry],
      RearrangeKernels.entries,
      GeneratorKernels.entries,
      GatherKernels.entries,
      ScatterKernels.entries,
      SelectionKernels.entries,
      StateKernels.entries,
      [TopKKernel.entry, UniqueKernel.entry],
      CastKernels.entries,
      QuantizationKernels.entries,
      [AttentionKernel.entry, SelfAttentionKernel.entry, RotaryEmbeddingKernel.entry],
    ]
    return Dictionary(families.joined().map { ($0.name, $0) }) { first, _ in
      preconditionFailure("two kernels are named '\(first.name)'")
    }
  }()
}
