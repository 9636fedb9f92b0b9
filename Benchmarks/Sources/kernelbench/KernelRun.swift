import Kernels
import Tensors

/// A kernel of a plan with operands, ready to run.
final class KernelRun: ResultMemory {
  /// Bytes of weights that a run reads.
  let byteCount: Int
  private let kernel: any Kernel
  private var table: [TensorView]
  private let operandIDs: [Int32], resultIDs: [Int32]
  private let operands: [Tensor?]
  private let results: [TensorStorage]
  private let resources: Resources

  /// - Parameter resultBytes: of each result.
  init(
    _ name: String, _ attributes: [String: AttributeValue], _ operands: [Tensor?], resultBytes: [Int],
    byteCount: Int, _ pool: ThreadPool
  ) {
    guard let kernel = try? KernelTable.entries[name]?.prepare(Attributes(attributes)), let x = operands[0] else {
      preconditionFailure("\(name) is refused")
    }
    (self.kernel, self.operands, self.byteCount) = (kernel, operands, byteCount)
    resources = Resources(pool: pool)
    table = operands.map { TensorView($0 ?? x) } + resultBytes.map { _ in TensorView(x) }
    operandIDs = operands.indices.map { operands[$0] == nil ? -1 : Int32($0) }
    resultIDs = resultBytes.indices.map { Int32(operands.count + $0) }
    results = resultBytes.map { TensorStorage(byteCount: $0) }
  }

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer { results[value - operands.count].base }

  func seconds() -> Double {
    resources.reset()
    return elapsed {
      table.withUnsafeMutableBufferPointer { table in
        operandIDs.withUnsafeBufferPointer { operandIDs in
          resultIDs.withUnsafeBufferPointer { resultIDs in
            let call = KernelCall(
              table: table.baseAddress!, operandIDs: operandIDs, resultIDs: resultIDs, memory: self,
              resources: resources)
            guard (try? kernel.run(call)) != nil else { preconditionFailure("the operands are refused") }
          }
        }
      }
    }
  }
}
