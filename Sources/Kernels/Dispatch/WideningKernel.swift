import Tensors

/// Runs an f32 kernel on f16 or bf16 operands: widens them, and rounds f32 results to the operands' type.
struct WideningKernel: Kernel {
  let inner: any Kernel
  /// Results that are not rounded back.
  let keepsWide: [Int]

  init(_ inner: any Kernel, keepsWide: [Int] = []) {
    self.inner = inner
    self.keepsWide = keepsWide
  }

  func run(_ call: KernelCall) throws(KernelError) {
    guard let narrow = narrowElement(of: call) else { return try inner.run(call) }
    let (operands, results) = (call.operandIDs.count, call.resultIDs.count)
    let slots = operands + results
    let tableBytes = slots * MemoryLayout<TensorView>.stride
    let table = call.resources.scratch(byteCount: tableBytes).bindMemory(to: TensorView.self, capacity: slots)
    let ids = call.resources.scratch(byteCount: slots * 4).bindMemory(to: Int32.self, capacity: slots)
    for index in 0..<operands {
      ids[index] = call.has(index) ? Int32(index) : -1
      if call.has(index) { table[index] = widened(call[index], call.resources) }
    }
    for index in 0..<results {
      ids[operands + index] = call.isUsed(result: index) ? Int32(operands + index) : -1
    }
    let memory = ScratchMemory(call.resources)
    let wide = KernelCall(
      table: table, operandIDs: UnsafeBufferPointer(start: ids, count: operands),
      resultIDs: UnsafeBufferPointer(start: ids + operands, count: results), memory: memory,
      resources: call.resources)
    try withExtendedLifetime(memory) { () throws(KernelError) in try inner.run(wide) }
    for index in 0..<results where call.isUsed(result: index) {
      let view = table[operands + index]
      let element = view.element == .f32 && !keepsWide.contains(index) ? narrow : view.element
      StridedCopy.convert(from: view, to: call.allocate(index, element, view.shape))
    }
  }

  private func narrowElement(of call: KernelCall) -> ElementType? {
    for index in 0..<call.operandIDs.count where call.has(index) {
      let element = call[index].element
      if element == .f16 || element == .bf16 { return element }
    }
    return nil
  }

  private func widened(_ view: TensorView, _ resources: Resources) -> TensorView {
    guard view.element == .f16 || view.element == .bf16 else { return view }
    let wide = TensorView(resources.scratch(byteCount: view.elementCount * 4), .f32, view.shape)
    StridedCopy.convert(from: view, to: wide)
    return wide
  }
}

/// Result memory out of the run's scratch memory.
final class ScratchMemory: ResultMemory {
  let resources: Resources
  init(_ resources: Resources) { self.resources = resources }
  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    resources.scratch(byteCount: byteCount)
  }
}
