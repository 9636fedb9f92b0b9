import Tensors

/// What a kernel may use besides its operands: threads, and scratch memory that lives until the run's end.
///
/// One per run at a time; it is not safe to share between concurrent runs.
public final class Resources {
  public let pool: ThreadPool
  /// Counts what blocks with chosen neurons do, where somebody asks.
  public var tally: NeuronTally?
  private var blocks: [TensorStorage] = []
  private var block = 0
  private var used = 0

  public init(pool: ThreadPool) { self.pool = pool }

  /// Memory aligned to 64 bytes, valid until ``reset()``. Its content is undefined.
  public func scratch(byteCount: Int) -> UnsafeMutableRawPointer {
    let size =
      (max(byteCount, 1) + TensorStorage.alignment - 1) / TensorStorage.alignment * TensorStorage.alignment
    while block < blocks.count {
      if used + size <= blocks[block].byteCount {
        defer { used += size }
        return blocks[block].base + used
      }
      block += 1
      used = 0
    }
    let last = blocks.last?.byteCount ?? 32 * 1024
    blocks.append(TensorStorage(byteCount: max(size, last * 2)))
    used = size
    return blocks[block].base
  }

  /// Forgets all scratch memory handed out; keeps it for the next call.
  public func reset() {
    block = 0
    used = 0
  }
}
