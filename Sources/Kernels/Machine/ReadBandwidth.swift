import Tensors

/// The speed of reading memory in order: the roof of every kernel that streams weights.
public struct ReadBandwidth {
  private let memory: TensorStorage
  private static let pieceBytes = 256 << 10
  /// The best of the machine, also where ``InstructionSet/variable`` holds kernels back: memory is what it is.
  private static let maximum = MicroKernel.best("max_f32", with: .current)
    .pointer(as: MicroKernelType.Maximum.self)

  /// - Parameter byteCount: what is read per pass; several times the last-level cache to measure main memory.
  public init(byteCount: Int) {
    memory = TensorStorage(byteCount: byteCount / Self.pieceBytes * Self.pieceBytes)
    // Pages that were never written would all be the one page of zeros.
    memory.base.initializeMemory(as: Float.self, repeating: 1, count: memory.byteCount / 4)
  }

  /// The best of a few passes, of fewer where a pass takes long.
  public func best(of passes: Int, _ pool: ThreadPool) -> Double {
    let start = ContinuousClock.now
    var best = measure(pool)
    for _ in 1..<max(1, passes) where (ContinuousClock.now - start).seconds < 0.5 {
      best = max(best, measure(pool))
    }
    return best
  }

  /// Bytes per second of one pass shared by the threads of a pool: the maximum of all elements is taken.
  public func measure(_ pool: ThreadPool) -> Double {
    let (floats, count) = (memory.base.assumingMemoryBound(to: Float.self), Self.pieceBytes / 4)
    let start = ContinuousClock.now
    pool.forEach(memory.byteCount / Self.pieceBytes) { index in
      let largest = Self.maximum(count, floats + index * count)
      precondition(largest == 1, "memory does not hold what was written")
    }
    return Double(memory.byteCount) / (ContinuousClock.now - start).seconds
  }
}

extension Duration {
  public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
