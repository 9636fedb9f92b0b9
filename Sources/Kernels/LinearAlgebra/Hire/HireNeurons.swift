import CKernels
import Tensors

/// The neurons that some rows of activations choose, and what they are worth.
struct HireNeurons {
  private let settings: HireNeuronSettings
  private let block: HireBlock
  private let rows: Int
  /// Neurons that count for any of the rows, ascending.
  private let neurons: UnsafeMutablePointer<Int32>
  private let count: Int
  /// h: a row of `stride` numbers for each row, by place in `neurons`; 0 where a row did not choose it.
  private let weights: UnsafeMutablePointer<Float>
  private let stride: Int

  init(_ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources) {
    (self.settings, self.block, rows) = (settings, block, x.rows)
    let gates = block.scan == nil ? Self.exactGates(settings, block, x, resources) : nil
    let scores =
      gates.map { Self.sums(settings, block, $0.y, rows: x.rows, resources) }
      ?? Self.scan(settings, block, x, resources)
    let lists = GroupLists(settings, groups: block.groups, rows: x.rows, scores, resources)
    let size = settings.groupSize
    let neurons = Self.scratch(lists.count * size, resources, Int32.self)
    for place in 0..<lists.count {
      for index in 0..<size {
        neurons[place * size + index] = lists.union[place] * Int32(size) + Int32(index)
      }
    }
    stride = lists.count * size
    weights = Self.exact(settings, block, x, neurons, stride, gates, lists, resources)
    count = Self.dropZeros(neurons, stride, weights, rows: x.rows)
    self.neurons = neurons
  }

  private static func scratch<T>(
    _ count: Int, _ resources: Resources, _ type: T.Type = T.self
  ) -> UnsafeMutablePointer<T> {
    resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
  }

  // MARK: First scores

  /// The sum of |act| of each group by the scan: a row of groups for each row of x.
  private static func scan(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    guard let panels = settings.panels, let codes = block.scan else { preconditionFailure("there is a scan") }
    var (z, stride) = (x.x, x.stride)
    if let projection = block.projection {
      stride = projection.shape[0]
      let product = LinearProduct(
        rows: x.rows, inner: x.inner, columns: stride, x: x.x, w: projection.pointer(),
        y: scratch(x.rows * stride, resources))
      product.run(resources.pool)
      z = UnsafePointer(product.y)
    }
    let queries = ScanQueries(z, rows: x.rows, stride: stride, panels: panels, resources)
    let (neurons, size) = (block.up.weights.rows, settings.groupSize)
    // Pieces of whole panels and whole groups.
    let unit = ScanPanels.rows * size / Self.greatestCommonDivisor(ScanPanels.rows, size)
    let step = unit * max(1, 512 / unit)
    let pieces = (neurons + step - 1) / step
    let room = step * Int(CK_SCAN_ROWS)
    let rooms: UnsafeMutablePointer<Float> = scratch(resources.pool.placeCount(pieces) * room, resources)
    let scores: UnsafeMutablePointer<Float> = scratch(x.rows * block.groups, resources)
    resources.pool.forEachInPlace(pieces) { piece, place in
      let (y, range) = (rooms + place * room, piece * step..<min((piece + 1) * step, neurons))
      for row in Swift.stride(from: 0, to: x.rows, by: Int(CK_SCAN_ROWS)) {
        let some = row..<min(row + Int(CK_SCAN_ROWS), x.rows)
        queries.scan(
          some, codes + range.lowerBound / ScanPanels.rows * panels.byteCount,
          panels: panels.count(rows: range.count), y, stride: step)
        for row in some {
          let values = y + (row - some.lowerBound) * step
          if let bias = block.first.bias {
            for index in 0..<range.count { values[index] += bias[range.lowerBound + index] }
          }
          settings.activation.apply(values, range.count)
          addMagnitudes(
            values, groups: range.count / size, of: size,
            into: scores + (row * block.groups + range.lowerBound / size))
        }
      }
    }
    return scores
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }

  /// act of the gates of all neurons.
  private static func exactGates(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources
  ) -> WeightProduct? {
    guard let gate = block.gate else { return nil }
    let neurons = gate.weights.rows
    let product = WeightProduct(x, gate.weights, bias: gate.bias, y: scratch(x.rows * neurons, resources))
    product.run(resources) { piece in
      for row in piece.rows {
        settings.activation.apply(
          product.y + (row * neurons + piece.columns.lowerBound), piece.columns.count)
      }
    }
    return product
  }

  /// The sum of magnitudes of each group.
  private static func sums(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ values: UnsafePointer<Float>, rows: Int,
    _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let scores: UnsafeMutablePointer<Float> = scratch(rows * block.groups, resources)
    addMagnitudes(values, groups: rows * block.groups, of: settings.groupSize, into: scores)
    return scores
  }

  static func addMagnitudes(
    _ values: UnsafePointer<Float>, groups: Int, of size: Int, into scores: UnsafeMutablePointer<Float>
  ) {
    for group in 0..<groups {
      var sum: Float = 0
      for index in 0..<size { sum += values[group * size + index].magnitude }
      scores[group] = sum
    }
  }

  // MARK: Exact activations

  /// h of the candidates: 0 where a row did not choose the group, or where it is not active.
  private static func exact(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ neurons: UnsafePointer<Int32>,
    _ count: Int, _ gates: WeightProduct?, _ lists: GroupLists, _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let h: UnsafeMutablePointer<Float> = scratch(x.rows * count, resources)
    let first: UnsafeMutablePointer<Float>? = block.gate.map { _ in scratch(x.rows * count, resources) }
    let decisive = first ?? h
    let sums: UnsafeMutablePointer<Float> = scratch(x.rows * lists.count, resources)
    let size = settings.groupSize
    // About 16 KiB of weights, in whole groups.
    let step = max(1, (16 << 10) / max(1, block.up.weights.rowBytes * size))
    resources.pool.forEach((lists.count + step - 1) / step) { piece in
      let groups = piece * step..<min((piece + 1) * step, lists.count)
      let range = groups.lowerBound * size..<groups.upperBound * size
      block.up.multiply(x, neurons, range, h, stride: count)
      if let gate = block.gate, let first {
        if let gates {
          for row in 0..<x.rows {
            let values = gates.y + row * gate.weights.rows
            for index in range { first[row * count + index] = values[Int(neurons[index])] }
          }
        } else {
          gate.multiply(x, neurons, range, first, stride: count)
        }
      }
      for row in 0..<x.rows {
        let values = decisive + (row * count + range.lowerBound)
        if gates == nil { settings.activation.apply(values, range.count) }
        addMagnitudes(
          values, groups: groups.count, of: size, into: sums + (row * lists.count + groups.lowerBound))
        if let first {
          for index in range { h[row * count + index] *= first[row * count + index] }
        }
      }
    }
    for row in 0..<x.rows {
      lists.keepActive(row, sums + row * lists.count) { place in
        (h + (row * count + place * size)).update(repeating: 0, count: size)
      }
    }
    return h
  }

  /// Forgets neurons that are 0 for all rows, and returns how many are left. What they would add is 0.
  private static func dropZeros(
    _ neurons: UnsafeMutablePointer<Int32>, _ count: Int, _ h: UnsafeMutablePointer<Float>, rows: Int
  ) -> Int {
    var kept = 0
    for place in 0..<count {
      var isZero = true
      for row in 0..<rows where h[row * count + place] != 0 { isZero = false }
      if isZero { continue }
      neurons[kept] = neurons[place]
      for row in 0..<rows { h[row * count + kept] = h[row * count + place] }
      kept += 1
    }
    return kept
  }

  // MARK: Down

  /// `y = sum over chosen neurons of h * down + bias`.
  func addRows(into y: UnsafeMutablePointer<Float>, _ resources: Resources) {
    let (columns, down) = (settings.outputs, block.down)
    let blocks = (columns + BlockFormat.blockSize - 1) / BlockFormat.blockSize
    // Two chunks of a row are long enough for memory, and leave pieces for several threads.
    let step = 16
    let pieces = (blocks + step - 1) / step
    let room = rows * step * BlockFormat.blockSize
    let rooms: UnsafeMutablePointer<Float> = Self.scratch(
      resources.pool.placeCount(pieces) * room, resources)
    resources.pool.forEachInPlace(pieces) { piece, place in
      let range = piece * step..<min((piece + 1) * step, blocks)
      var call = ck_weighted_rows(
        rows: rows, count: count, columns: columns, b0: range.lowerBound, b1: range.upperBound, list: neurons,
        w: down.base, p: weights, y: y, sums: rooms + place * room, w_stride: down.rowBytes,
        p_stride: stride, y_stride: columns, sums_stride: step * BlockFormat.blockSize)
      VectorMath.best.weightedRows(&call)
      guard let bias = block.downBias else { return }
      let first = range.lowerBound * BlockFormat.blockSize
      for row in 0..<rows {
        for column in first..<min(range.upperBound * BlockFormat.blockSize, columns) {
          y[row * columns + column] += bias[column]
        }
      }
    }
  }
}
