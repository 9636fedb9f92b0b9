import GraphIR
import Kernels
import Operators
import Tensors
import Testing

/// Operands of a self-attention node of given sizes and form.
struct SelfAttentionCase: CustomTestStringConvertible, Sendable {
  /// What a form has besides qkv and the past.
  struct Form: Sendable {
    var name: String
    var heads = 4
    var groups = 2
    var size = 8
    var batch = 1
    var hasNorms = false
    /// Columns of cos and sin; 0: no rotation.
    var half = 0
    var hasPositions = false
    var maskElement: ElementType?
    var hasSlopes = false
    var cache = ElementType.f32
    var attributes: [String: AttributeValue] = [:]
  }

  static let forms = [
    Form(name: "plain"),
    Form(
      name: "one group, window, softcap", groups: 1, attributes: ["window": .int(7), "softcap": .float(1.5)]),
    Form(name: "norms and positions", batch: 2, hasNorms: true, half: 4, hasPositions: true),
    Form(
      name: "part of the head interleaved, key mask", batch: 2, half: 3, hasPositions: true,
      maskElement: .i64,
      attributes: ["interleaved": .int(1), "scale": .float(0.7)]),
    Form(
      name: "no position ids, odd heads", size: 7, hasNorms: true, half: 3,
      attributes: ["epsilon": .float(0.1)]),
    Form(name: "slopes and mask", batch: 2, maskElement: .bool, hasSlopes: true),
    Form(name: "all keys", half: 4, maskElement: .i32, attributes: ["is_causal": .int(0)]),
    Form(name: "more heads than a tile", heads: 20, groups: 1, size: 3, attributes: ["window": .int(1)]),
    Form(
      name: "f16 caches, window, softcap", groups: 1, size: 72, cache: .f16,
      attributes: ["window": .int(7), "softcap": .float(1.5)]),
    Form(
      name: "f16 caches, odd heads, norms and mask", size: 7, batch: 2, hasNorms: true, half: 3,
      maskElement: .i64, cache: .f16),
  ]

  let form: Form
  let rows: Int
  /// Positions of the past; nil: no caches.
  let past: Int?

  var testDescription: String { "\(form.name), S \(rows), P \(past.map(String.init) ?? "-")" }

  var attributes: Attributes {
    Attributes(
      ["num_heads": .int(form.heads), "kv_num_heads": .int(form.groups)].merging(form.attributes) { $1 })
  }

  private var keys: Int { (past ?? 0) + rows }

  /// qkv ... slopes, the past dense.
  var operands: [Tensor?] {
    let (batch, size) = (form.batch, form.size)
    let parts = form.heads + 2 * form.groups
    var operands = [Tensor?](repeating: nil, count: 10)
    operands[0] = noise([batch, rows, parts * size], seed: 1)
    if let past {
      operands[1] = noise([batch, form.groups, past, size], seed: 2).converted(to: form.cache)
      operands[2] = noise([batch, form.groups, past, size], seed: 3).converted(to: form.cache)
    }
    if form.hasNorms { operands[3] = noise([size], seed: 4) }
    if form.hasNorms { operands[4] = noise([size], seed: 5) }
    if form.half > 0 {
      operands[5] = noise([90, form.half], seed: 6)
      operands[6] = noise([90, form.half], seed: 7)
    }
    if form.hasPositions {
      operands[7] = Tensor(i64: (0..<batch * rows).map { $0 * 13 % 90 }, [batch, rows])
    }
    // The first batch entry lacks its first keys, the second every third.
    let allowed = (0..<batch * keys).map { $0 < keys ? $0 > 1 : $0 % 3 > 0 }
    switch form.maskElement {
    case .bool: operands[8] = Tensor(bool: allowed, [batch, keys])
    case .i32: operands[8] = Tensor(i32: allowed.map { $0 ? 2 : 0 }, [batch, keys])
    case .i64: operands[8] = Tensor(i64: allowed.map { $0 ? 1 : 0 }, [batch, keys])
    default: break
    }
    if form.hasSlopes { operands[9] = noise([form.heads], seed: 8) }
    return operands
  }

  /// Results by the operator's decomposition.
  func expected() throws -> [Tensor?] {
    let operands = operands
    let node = Node(
      "self_attention", operands: operands.indices.map { operands[$0] == nil ? nil : ValueID(100 + $0) },
      results: (0..<3).map { ValueID($0) }, attributes: attributes)
    return try Interpreter(Module()).evaluate(node, operands)
  }

  /// The rows of `range` as they follow a past that the rows before them have been added to.
  func operands(rows range: Range<Int>) -> [Tensor?] {
    var operands = operands
    operands[0] = operands[0]!.positions(range, axis: 1)
    if let ids = operands[7] {
      let kept = (0..<form.batch).flatMap { entry in range.map { ids.integers[entry * rows + $0] } }
      operands[7] = Tensor(i64: kept, [form.batch, range.count])
    }
    if let mask = operands[8] {
      let end = (past ?? 0) + range.upperBound
      let kept = (0..<form.batch).flatMap { entry in (0..<end).map { mask.integers[entry * keys + $0] != 0 } }
      operands[8] = Tensor(bool: kept, [form.batch, end])
    }
    return operands
  }

  /// Caches that hold the past and have room for more.
  func caches(capacity: Int) -> (CacheBuffer, CacheBuffer)? {
    guard past != nil else { return nil }
    return (CacheBuffer(operands[1]!, capacity: capacity), CacheBuffer(operands[2]!, capacity: capacity))
  }

  /// Runs the kernel; the caches grow.
  func run(
    _ operands: [Tensor?], _ caches: (CacheBuffer, CacheBuffer)?, threads: Int = 1
  ) throws -> KernelRun {
    var views = operands.map { $0.map { TensorView($0) } }
    if let caches { (views[1], views[2]) = (caches.0.view, caches.1.view) }
    let run = try KernelRun("self_attention", views, attributes, results: 3, threads: threads)
    withExtendedLifetime(operands) {}
    caches?.0.become(run.results[1])
    caches?.1.become(run.results[2])
    return run
  }
}
