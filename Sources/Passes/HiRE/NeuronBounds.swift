import GraphIR
import Kernels
import Tensors

/// Upper bounds that prove neurons behind ReLU to be 0 without reading their rows: copies of the rows that decide, in a
/// smaller format (certified zero skipping; see `hire_feed_forward`).
struct NeuronBounds {
  let format: BlockFormat
  /// Neurons that bounds leave of a token, on average over states held out.
  let survivors: Int
  /// What a token reads for the bounds and of the rows that they leave, and without bounds.
  let traffic: WeightTraffic, dense: WeightTraffic

  /// Bounds of a block from copies in each format that is smaller than its rows.
  ///
  /// - Parameter judged: f32 [N, K], held out.
  /// - Throws: ``Miss`` where nothing is smaller, or there is no ReLU.
  static func all(_ block: NeuronBlock, _ judged: Tensor, _ pool: ThreadPool) throws(Miss) -> [NeuronBounds] {
    guard block.activation.isZeroBelowZero, block.cutoff == nil else { throw Miss("there is no ReLU") }
    let stored = block.firstFormat
    let formats = RowBoundTrial.formats(smallerThan: stored)
    guard !formats.isEmpty else { throw Miss("no format is smaller than '\(stored)'") }
    let packed = HireMeasurement.packed(block.first, stored, pool)
    do throws(KernelError) {
      var all: [NeuronBounds] = []
      for format in formats {
        var attributes = Attributes(["capacity": .int(1), "bound_format": .string(format.rawValue)])
        if stored != .f32 { attributes["weight_format"] = .string(stored.rawValue) }
        let counts = try RowBoundTrial.counts(
          attributes, packed, tensors(block, packed, format, pool), metric: nil, bias: block.bias, judged,
          [Float](repeating: 0, count: judged.shape[0]), pool)
        all.append(NeuronBounds(block, format, survivors: counts))
      }
      return all
    } catch {
      throw Miss("bounds cannot be measured: \(error.message)")
    }
  }

  private init(_ block: NeuronBlock, _ format: BlockFormat, survivors: [Int]) {
    let rowBytes = block.firstFormat.rowBytes(block.width)
    self.format = format
    self.survivors = (survivors.reduce(0, +) + survivors.count - 1) / max(1, survivors.count)
    traffic = WeightTraffic(inOrder: Self.bytes(block, format), picked: self.survivors * rowBytes)
    dense = WeightTraffic(inOrder: block.neurons * rowBytes)
  }

  /// Bytes of the copies, with an error of 4 bytes beside each.
  static func bytes(_ block: NeuronBlock, _ format: BlockFormat) -> Int {
    block.neurons * (format.rowBytes(block.width) + 4)
  }

  /// The constants of the bounds.
  ///
  /// - Parameter packed: what decides, as the kernel reads it.
  static func tensors(
    _ block: NeuronBlock, _ packed: Tensor, _ format: BlockFormat, _ pool: ThreadPool
  ) -> RowBoundTensors {
    withExtendedLifetime(packed) {
      RowBoundTensors(
        WeightMatrix(block.firstFormat, packed.base, rows: block.neurons, columns: block.width), in: format,
        metric: nil, pool: pool)
    }
  }
}
