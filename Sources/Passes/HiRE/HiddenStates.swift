public import Tensors

/// Hidden states that a model hands to its head, for fitting predictors and, of other sequences, for judging them.
public struct HiddenStates: Sendable {
  /// f32 [N, K], sequence by sequence.
  public let rows: Tensor
  /// The first rows are for fitting; the rest, of other sequences, is held out.
  public let fittedCount: Int
  /// Where they come from, for the ledger: `16384 tokens of its own, seed 1`.
  public let origin: String

  public init(_ rows: Tensor, fittedCount: Int, origin: String) {
    precondition(rows.element == .f32 && rows.rank == 2 && fittedCount <= rows.shape[0])
    (self.rows, self.fittedCount, self.origin) = (rows, fittedCount, origin)
  }

  /// One of so many sequences is held out.
  private static let heldOutShare = 8

  /// Rows for fitting, of sequences of `length`: the last sequences are held out.
  public static func fittedCount(_ rows: Int, length: Int) -> Int {
    let sequences = rows / max(1, length)
    return rows - max(1, sequences / heldOutShare) * length
  }

  var width: Int { rows.shape[1] }
  var base: UnsafePointer<Float> { UnsafePointer(rows.base.assumingMemoryBound(to: Float.self)) }

  /// At most `count` of the rows that are held out, evenly spread.
  func heldOut(_ count: Int) -> Tensor {
    spread(count, over: fittedCount..<rows.shape[0])
  }

  /// At most `count` of the rows for fitting, evenly spread.
  func fitted(_ count: Int) -> Tensor { spread(count, over: 0..<fittedCount) }

  private func spread(_ count: Int, over range: Range<Int>) -> Tensor {
    let picked = min(count, range.count)
    let result = Tensor(.f32, [picked, width])
    for index in 0..<picked {
      let row = range.lowerBound + index * range.count / picked
      (result.base + index * width * 4).copyMemory(from: base + row * width, byteCount: width * 4)
    }
    return result
  }
}
