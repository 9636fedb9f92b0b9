import Kernels
import Tensors

/// Memory of temporaries: one block per slot, which grows to the largest value put in it.
final class SlotMemory: ResultMemory {
  private let slotOfValue: [Int32]
  private var blocks: [Block]

  private struct Block {
    let storage: TensorStorage
    /// What the storage says, at hand without counting a reference.
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(byteCount: Int) {
      storage = TensorStorage(byteCount: byteCount)
      (base, self.byteCount) = (storage.base, byteCount)
    }
  }

  /// - Parameter slotOfValue: per value its slot, or -1.
  init(slotOfValue: [Int32], slotCount: Int) {
    self.slotOfValue = slotOfValue
    blocks = (0..<slotCount).map { _ in Block(byteCount: 0) }
  }

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    let slot = Int(slotOfValue[value])
    if blocks[slot].byteCount >= byteCount { return blocks[slot].base }
    // Half as much again, so that values that grow by a position per token rarely move.
    blocks[slot] = Block(byteCount: max(byteCount, min(byteCount * 3 / 2, byteCount + (64 << 20))))
    return blocks[slot].base
  }

  /// Makes every block at least as large as its slot's largest value.
  func reserve(_ byteCounts: [Int]) {
    for (slot, byteCount) in byteCounts.enumerated() where byteCount > blocks[slot].byteCount {
      blocks[slot] = Block(byteCount: byteCount)
    }
  }

  var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }
}
