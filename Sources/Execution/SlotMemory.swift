import Kernels
import Tensors

/// Memory of temporaries: one block per slot, which grows to the largest value put in it.
///
/// A block that became too small lives on until the next run, so that no view of it can outlive it, whatever a plan
/// says of the lives of its values.
final class SlotMemory: ResultMemory {
  private let slotOfValue: [Int32]
  private var blocks: [Block]
  private var outgrown: [Block] = []

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
    outgrown.append(blocks[slot])
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

  /// A new run begins: what the last one left in blocks that are too small is read no more.
  func beginRun() { if !outgrown.isEmpty { outgrown = [] } }

  var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }
}
