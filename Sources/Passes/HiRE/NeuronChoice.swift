import Kernels
import Tensors

/// How the neurons of a block are chosen, with what that costs and finds.
struct NeuronChoice {
  let groupSize: Int
  let candidateGroups: Int
  /// Candidates that count; nil where all do.
  let activeGroups: Int?
  /// How groups are predicted; nil where exact gates choose.
  let scan: NeuronScan?
  /// Whether neurons are weighed by what they add (``NeuronBlock/importance()``).
  var isWeighed = false
  /// The neuron at each place; nil where they lie as the model has them.
  var order: [Int]?
  /// Whether neurons that are active together were put into groups for it.
  var isCoactive = false
  /// Groups of the common path, which come first, and the least share of tokens that one is active for.
  var commonGroups = 0, commonShare = 1.0
  /// The format of the copies that upper bounds are read from; nil where all rows of what decides are read.
  var boundFormat: BlockFormat?
  /// Neurons of a token that pass the bounds, and that are not 0, on states held out; nil where their number is the
  /// choice's.
  var expectedCandidates: Int?, expectedActive: Int?
  /// What a token reads.
  let traffic: WeightTraffic
  /// The mean share of the groups to be active that are candidates, and half of its 95 % interval.
  let recall: Double, interval: Double
}

/// The form of a predictor of groups.
struct NeuronScan: Hashable {
  /// Coordinates, and bits of their codes.
  let rank: Int, bits: Int
  /// Whether coordinates are those of a basis fitted to calibrated states (``HeadBasis``), or those of x.
  let hasBasis: Bool
  /// Whether there is one row for each group, the mean of its neurons', not one for each neuron.
  var isOfGroups = false

  var panels: ScanPanels { ScanPanels(rank: rank, bits: bits)! }

  /// - Parameter rows: neurons or groups that have one.
  func bytes(rows: Int, width: Int) -> Int {
    panels.count(rows: rows) * panels.byteCount + (hasBasis ? rank * width * 4 : 0)
  }
}

/// The tensors of a predictor of groups.
struct NeuronPredictor {
  /// u8 [panels, bytes].
  let scan: Tensor
  /// f32 [R, K].
  let projection: Tensor?
  /// What the codes stand for, f32 [F, R].
  let decoded: Tensor

  /// The predictor of a choice.
  ///
  /// - Parameter block: with its neurons in the order of the choice.
  init(_ choice: NeuronChoice, _ form: NeuronScan, of block: NeuronBlock, basis: HeadBasis?, pool: ThreadPool)
  {
    let common = choice.commonGroups * choice.groupSize
    let first = common == 0 ? block.first : NeuronBlock.rows(block.first, Array(common..<block.neurons))
    self.init(
      form, first: form.isOfGroups ? Self.means(first, of: choice.groupSize) : first, basis: basis, pool: pool
    )
  }

  /// The mean of each group of rows.
  static func means(_ rows: Tensor, of size: Int) -> Tensor {
    let (count, width) = (rows.shape[0] / size, rows.shape[1])
    let numbers = rows.array(of: Float.self)
    var means = [Float](repeating: 0, count: count * width)
    for row in 0..<count * size {
      for k in 0..<width { means[row / size * width + k] += numbers[row * width + k] }
    }
    return Tensor(f32: means.map { $0 / Float(size) }, [count, width])
  }

  /// - Parameter first: f32 [F, K], what is predicted.
  init(_ form: NeuronScan, first: Tensor, basis: HeadBasis?, pool: ThreadPool) {
    let (neurons, width, rank) = (first.shape[0], first.shape[1], form.rank)
    let panels = form.panels
    var (numbers, stride) = (first, width)
    if form.hasBasis, let basis {
      projection = Tensor(f32: basis.projection(count: rank, rotated: rank, pool), [rank, width])
      let mixing = Tensor(f32: basis.mixing(count: rank, rotated: rank, pool), [width, rank])
      (numbers, stride) = (Self.product(first, mixing, isTransposed: true, pool), rank)
    } else {
      projection = nil
    }
    scan = Tensor(.u8, [panels.count(rows: neurons), panels.byteCount])
    decoded = Tensor(.f32, [neurons, rank])
    let source = UnsafePointer(numbers.base.assumingMemoryBound(to: Float.self))
    panels.encode(source, rows: neurons, stride: stride, into: scan.base)
    let target = decoded.base.assumingMemoryBound(to: Float.self)
    for neuron in 0..<neurons { panels.decode(scan.base, row: neuron, into: target + neuron * rank) }
    withExtendedLifetime(numbers) {}
  }

  /// What the scan gives for rows of x, f32 [N, F]: z in int8, as ``ScanQueries`` makes it.
  func scores(_ x: Tensor, bits: Int, pool: ThreadPool) -> Tensor {
    let z = projection.map { Self.product(x, $0, isTransposed: false, pool) } ?? x
    let (count, width, rank) = (z.shape[0], z.shape[1], decoded.shape[1])
    let limit: Float = bits == 4 ? 127 : 63
    let rounded = Tensor(.f32, [count, rank])
    let (source, target) = (
      z.base.assumingMemoryBound(to: Float.self), rounded.base.assumingMemoryBound(to: Float.self)
    )
    for row in 0..<count {
      let largest = (0..<rank).reduce(Float(0)) { max($0, source[row * width + $1].magnitude) }
      let scale = largest > 0 ? largest / limit : 1
      for k in 0..<rank { target[row * rank + k] = (source[row * width + k] / scale).rounded() * scale }
    }
    return withExtendedLifetime(z) { Self.product(rounded, decoded, isTransposed: false, pool) }
  }

  /// x w^T, or x w of a transposed one.
  static func product(_ x: Tensor, _ w: Tensor, isTransposed: Bool, _ pool: ThreadPool) -> Tensor {
    let columns = isTransposed ? w.shape[1] : w.shape[0]
    let y = Tensor(.f32, [x.shape[0], columns])
    LinearProduct(
      rows: x.shape[0], inner: x.shape[1], columns: columns, x: x.base.assumingMemoryBound(to: Float.self),
      w: w.base.assumingMemoryBound(to: Float.self), y: y.base.assumingMemoryBound(to: Float.self),
      isTransposed: isTransposed
    ).run(pool)
    return withExtendedLifetime((x, w)) { y }
  }
}
