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
  private let lists: GroupLists
  /// Neurons of each row that bounds left; nil without bounds.
  private let bounded: UnsafePointer<Int>?

  init(_ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources) {
    (self.settings, self.block, rows) = (settings, block, x.rows)
    let left = block.bound.map { BoundedNeurons(block.first, $0, settings.activation, x, resources) }
    bounded = left.map { UnsafePointer($0.counts) }
    let deciding =
      left?.values ?? (block.scan == nil ? Self.deciding(settings, block, x, resources) : nil)
    let scores =
      deciding.map { Self.sums(settings, block, $0, rows: x.rows, resources) }
      ?? Self.scan(settings, block, x, resources)
    let lists = GroupLists(
      settings, groups: block.groups, rows: x.rows, scores, dropsZeros: deciding != nil, resources)
    let size = settings.groupSize
    let neurons = Self.scratch(lists.count * size, resources, Int32.self)
    for place in 0..<lists.count {
      for index in 0..<size {
        neurons[place * size + index] = lists.union[place] * Int32(size) + Int32(index)
      }
    }
    stride = lists.count * size
    weights = Self.exact(settings, block, x, neurons, stride, deciding, lists, resources)
    count = Self.dropZeros(neurons, stride, weights, rows: x.rows)
    (self.neurons, self.lists) = (neurons, lists)
  }

  private static func scratch<T>(
    _ count: Int, _ resources: Resources, _ type: T.Type = T.self
  ) -> UnsafeMutablePointer<T> {
    resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
  }

  // MARK: First scores

  /// First scores by the scan: a row of groups for each row of x, of which those of the common path are not set.
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
    let common = settings.commonGroups
    let count = settings.scanRows(block.up.weights.rows)
    // Rows of the scan that make a score.
    let size = settings.scansGroups ? 1 : settings.groupSize
    // Pieces of whole panels and whole groups.
    let unit = ScanPanels.rows * size / Self.greatestCommonDivisor(ScanPanels.rows, size)
    let step = unit * max(1, 512 / unit)
    let pieces = (count + step - 1) / step
    let room = step * Int(CK_SCAN_ROWS)
    let rooms: UnsafeMutablePointer<Float> = scratch(resources.pool.placeCount(pieces) * room, resources)
    let scores: UnsafeMutablePointer<Float> = scratch(x.rows * block.groups, resources)
    resources.pool.forEachInPlace(pieces) { piece, place in
      let (y, range) = (rooms + place * room, piece * step..<min((piece + 1) * step, count))
      for row in Swift.stride(from: 0, to: x.rows, by: Int(CK_SCAN_ROWS)) {
        let some = row..<min(row + Int(CK_SCAN_ROWS), x.rows)
        queries.scan(
          some, codes + range.lowerBound / ScanPanels.rows * panels.byteCount,
          panels: panels.count(rows: range.count), y, stride: step)
        for row in some {
          let values = y + (row - some.lowerBound) * step
          let own = scores + (row * block.groups + common + range.lowerBound / size)
          if settings.scansGroups {
            own.update(from: values, count: range.count)
            addMeans(
              block.first.bias, of: settings.groupSize, from: common + range.lowerBound, range.count, to: own)
            continue
          }
          let first = common * size + range.lowerBound
          if let bias = block.first.bias {
            for index in 0..<range.count { values[index] += bias[first + index] }
          }
          settings.activation.apply(values, range.count)
          if let factors = block.gateImportance {
            for index in 0..<range.count { values[index] *= factors[first + index] }
          }
          addMagnitudes(values, groups: range.count / size, of: size, into: own)
        }
      }
    }
    return scores
  }

  /// Adds the mean of the biases of `count` groups to their scores.
  private static func addMeans(
    _ bias: UnsafePointer<Float>?, of size: Int, from group: Int, _ count: Int,
    to scores: UnsafeMutablePointer<Float>
  ) {
    guard let bias else { return }
    for index in 0..<count {
      var sum: Float = 0
      for neuron in (group + index) * size..<(group + index + 1) * size { sum += bias[neuron] }
      scores[index] += sum / Float(size)
    }
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }

  /// act of what decides, exactly, for all neurons.
  private static func deciding(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let (rows, neurons) = (block.first, block.first.weights.rows)
    let product = WeightProduct(x, rows.weights, bias: rows.bias, y: scratch(x.rows * neurons, resources))
    guard let cutoff = settings.cutoff else {
      product.run(resources) { piece in
        for row in piece.rows {
          settings.activation.apply(
            product.y + (row * neurons + piece.columns.lowerBound), piece.columns.count)
        }
      }
      return product.y
    }
    product.run(resources)
    resources.pool.forEach(x.rows) { row in
      cutoff.apply(product.y + row * neurons, neurons)
      settings.activation.apply(product.y + row * neurons, neurons)
    }
    return product.y
  }

  /// The sum of magnitudes of each group.
  private static func sums(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ values: UnsafePointer<Float>, rows: Int,
    _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let scores: UnsafeMutablePointer<Float> = scratch(rows * block.groups, resources)
    let (size, neurons) = (settings.groupSize, block.groups * settings.groupSize)
    for row in 0..<rows {
      let (values, scores) = (values + row * neurons, scores + row * block.groups)
      if let factors = block.gateImportance {
        addMagnitudes(values, times: factors, groups: block.groups, of: size, into: scores)
      } else {
        addMagnitudes(values, groups: block.groups, of: size, into: scores)
      }
    }
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

  static func addMagnitudes(
    _ values: UnsafePointer<Float>, times factors: UnsafePointer<Float>, groups: Int, of size: Int,
    into scores: UnsafeMutablePointer<Float>
  ) {
    for group in 0..<groups {
      var sum: Float = 0
      for index in group * size..<(group + 1) * size { sum += values[index].magnitude * factors[index] }
      scores[group] = sum
    }
  }

  // MARK: Exact activations

  /// h of the candidates: 0 where a row did not choose the group, or where it is not active.
  private static func exact(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ neurons: UnsafePointer<Int32>,
    _ count: Int, _ deciding: UnsafePointer<Float>?, _ lists: GroupLists, _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let h: UnsafeMutablePointer<Float> = scratch(x.rows * count, resources)
    let first: UnsafeMutablePointer<Float>? = block.gate.map { _ in scratch(x.rows * count, resources) }
    let decisive = first ?? h
    let sums: UnsafeMutablePointer<Float> = scratch(x.rows * lists.count, resources)
    let (size, all) = (settings.groupSize, block.up.weights.rows)
    // About 16 KiB of weights, in whole groups.
    let step = max(1, (16 << 10) / max(1, block.up.weights.rowBytes * size))
    resources.pool.forEach((lists.count + step - 1) / step) { piece in
      let groups = piece * step..<min((piece + 1) * step, lists.count)
      let range = groups.lowerBound * size..<groups.upperBound * size
      if block.gate != nil || deciding == nil { block.up.multiply(x, neurons, range, h, stride: count) }
      if let gate = block.gate, let first, deciding == nil {
        gate.multiply(x, neurons, range, first, stride: count)
      }
      for row in 0..<x.rows {
        let (values, own) = (decisive + row * count, h + row * count)
        if let deciding {
          for index in range { values[index] = deciding[row * all + Int(neurons[index])] }
        } else {
          settings.activation.apply(values + range.lowerBound, range.count)
        }
        let places = sums + (row * lists.count + groups.lowerBound)
        addMagnitudes(values + range.lowerBound, groups: groups.count, of: size, into: places)
        if let first {
          for index in range { own[index] *= first[row * count + index] }
        }
        if let importance = block.importance {
          for group in 0..<groups.count {
            var sum: Float = 0
            for index in range.lowerBound + group * size..<range.lowerBound + (group + 1) * size {
              sum += own[index].magnitude * importance[Int(neurons[index])]
            }
            places[group] = sum
          }
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

  /// Neurons that a piece of the sum has: 8 panels of columns.
  private static let pieceNeurons = 8 * BlockFormat.blockSize

  /// `y = sum over chosen neurons of h * down + bias`.
  ///
  /// Pieces of neighbouring neurons are added up by themselves, so that columns are read as wholes; then the pieces,
  /// in order. Where they end depends on the block alone.
  func addColumns(into y: UnsafeMutablePointer<Float>, _ resources: Resources) {
    let (columns, outputs, room) = (settings.columns, settings.outputs, rows * settings.columns.paddedRows)
    let pieces = (block.up.weights.rows + Self.pieceNeurons - 1) / Self.pieceNeurons
    let parts: UnsafeMutablePointer<Float> = Self.scratch(pieces * room, resources)
    let sums: UnsafeMutablePointer<Float> = Self.scratch(resources.pool.placeCount(pieces) * room, resources)
    let kernel = VectorMath.best.weightedRows(columns.format)
    resources.pool.forEachInPlace(pieces) { piece, place in
      let range = self.places(piece * Self.pieceNeurons)..<self.places((piece + 1) * Self.pieceNeurons)
      var call = ck_weighted_rows(
        rows: rows, i0: range.lowerBound, i1: range.upperBound, outputs: outputs, list: neurons,
        w: block.down, p: weights, y: parts + piece * room, sums: sums + place * room, p_stride: stride,
        y_stride: columns.paddedRows)
      kernel(&call)
    }
    for row in 0..<rows {
      let target = y + row * outputs
      for column in 0..<outputs { target[column] = block.downBias?[column] ?? 0 }
      for piece in 0..<pieces {
        let part = parts + (piece * room + row * columns.paddedRows)
        for column in 0..<outputs { target[column] += part[column] }
      }
    }
  }

  /// Listed neurons before `neuron`.
  private func places(_ neuron: Int) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if neurons[middle] < neuron { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: Counts

  /// Neurons that a row had as candidates: with bounds, those that they left.
  func candidateCount(_ row: Int) -> Int { bounded?[row] ?? lists.candidateCount(row) * settings.groupSize }

  /// Neurons whose columns were added up, for any of the rows.
  var unionCount: Int { count }

  /// Calls `body` for the neurons whose h is not 0 in a row.
  func forEachActive(_ row: Int, _ body: (_ neuron: Int) -> Void) {
    for place in 0..<count where weights[row * stride + place] != 0 { body(Int(neurons[place])) }
  }
}
