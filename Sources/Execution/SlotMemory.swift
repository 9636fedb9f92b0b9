import Kernels
import Tensors

/// Memory of temporaries: one block per slot, which grows to the largest value put in it.
final class SlotMemory: ResultMemory {
  private let slotOfValue: [Int32]
  private var blocks: [TensorStorage?]

  /// - Parameter slotOfValue: per value its slot, or -1.
  init(slotOfValue: [Int32], slotCount: Int) {
    self.slotOfValue = slotOfValue
    blocks = Array(repeating: nil, count: slotCount)
  }

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    let slot = Int(slotOfValue[value])
    if let block = blocks[slot], block.byteCount >= byteCount { return block.base }
    // Half as much again, so that values that grow by a position per token rarely move.
    let block = TensorStorage(byteCount: max(byteCount, min(byteCount * 3 / 2, byteCount + (64 << 20))))
    blocks[slot] = block
    return block.base
  }

  /// Makes every block at least as large as its slot's largest value.
  func reserve(_ byteCounts: [Int]) {
    for (slot, byteCount) in byteCounts.enumerated() where byteCount > blocks[slot]?.byteCount ?? 0 {
      blocks[slot] = TensorStorage(byteCount: byteCount)
    }
  }

  var byteCount: Int { blocks.reduce(0) { $0 + ($1?.byteCount ?? 0) } }
}
