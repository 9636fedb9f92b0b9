import GraphIR
import Kernels
import Operators
import Tensors

/// How many rows of a matrix upper bounds leave of hidden states (see `certify_rows`).
enum RowBoundTrial {
  /// States of one run.
  private static let block = 16

  /// Formats in which copies of rows are smaller than they are.
  static func formats(smallerThan format: BlockFormat) -> [BlockFormat] {
    [.q4b32, .q5b32, .q6b16, .q8b32].filter { $0.bitsPerWeight < format.bitsPerWeight }
  }

  /// The number of rows whose bounds reach a threshold, state by state.
  ///
  /// - Parameters:
  ///   - attributes: those of `certify_rows`.
  ///   - rows: as a kernel reads them.
  ///   - metric: f32 [K, K]; nil for the identity.
  ///   - states: f32 [N, K].
  ///   - thresholds: one for each state.
  static func counts(
    _ attributes: Attributes, _ rows: Tensor, _ tensors: RowBoundTensors, metric: Tensor?, bias: Tensor?,
    _ states: Tensor, _ thresholds: [Float], _ pool: ThreadPool
  ) throws(KernelError) -> [Int] {
    var counts: [Int] = []
    try run("certify_rows", attributes, states, pool, results: [false, false, true]) { x, range in
      [
        x, Tensor(f32: Array(thresholds[range]), [1, range.count]), rows, tensors.weight, tensors.error,
        tensors.slack, metric, bias,
      ]
    } use: {
      (found: Tensor) throws(KernelError) in
      counts += found.array(of: Int32.self).map { Int($0) }
    }
    return counts
  }

  /// Runs a kernel over blocks of states, of which the last result is used.
  static func run(
    _ name: String, _ attributes: Attributes, _ states: Tensor, _ pool: ThreadPool, results: [Bool],
    _ operands: (_ x: Tensor, _ rows: Range<Int>) -> [Tensor?], use: (Tensor) throws(KernelError) -> Void
  ) throws(KernelError) {
    guard let entry = KernelTable.entries[name] else { throw .unsupported("there is no such kernel") }
    let runner = KernelRunner(try entry.prepare(attributes), pool: pool)
    let width = states.shape[1]
    for first in Swift.stride(from: 0, to: states.shape[0], by: block) {
      let rows = first..<min(first + block, states.shape[0])
      let x = Tensor(
        .f32, [1, rows.count, width], storage: states.storage, offset: states.offset + first * width * 4)
      try use(try runner.run(operands(x, rows), results: results).last!!)
    }
  }
}
