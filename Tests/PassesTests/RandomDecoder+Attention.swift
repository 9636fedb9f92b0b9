import Foundation
import GraphIR
import Tensors

/// Masks, rotary positions and attention of a random decoder.
extension RandomDecoder {
  // MARK: Masks

  /// Which keys each new row sees: none later than itself, none further back than the window, none that the
  /// attention mask hides.
  mutating func addMask() throws {
    builder.location = "mask"
    if form.window == nil, maskInput == nil, blocks.flip() {
      // Rows below the diagonal through the first new key.
      let shape = try builder("concat", axis(rows), axis(total), attributes: ["axis": .int(0)])
      let low = Tensor(f32: [blocks.pick([-1e9, -3.4e38])], [1])
      let all = try builder("constant_of_shape", shape, attributes: ["value": .tensor(low)])
      let first = try builder("add", past, builder.constant(Tensor(i64: [1], [])))
      mask = .added(try builder("trilu", all, first, attributes: ["upper": .int(1)]))
      return
    }
    let keys = try range(nil, total)
    let places = try builder("unsqueeze", range(past, total), builder.constant([1]))
    var seen =
      blocks.flip()
      ? try builder("less_or_equal", keys, places) : try builder("not", builder("greater", keys, places))
    if let window = form.window {
      let first = try builder("sub", places, builder.constant(Tensor(i64: [window], [])))
      seen = try blocks.commutative("and", seen, builder("greater", keys, first))
    }
    let low: Float = blocks.pick([-1e9, -3.4028235e38, -.infinity])
    guard let maskInput else {
      mask = blocks.flip() ? .chosen(seen, low: low) : .added(try bias(seen, low))
      return
    }
    let columns = try builder("unsqueeze", maskInput, builder.constant([1, 2]))
    if low.isFinite, blocks.flip() {
      let hidden = try builder("sub", builder.constant(1), cast(columns, .f32))
      let added = try blocks.commutative("mul", hidden, builder.constant(low))
      mask = .added(try blocks.commutative("add", bias(seen, low), added))
    } else {
      seen = try blocks.commutative("and", seen, cast(columns, .bool))
      mask = blocks.flip() ? .chosen(seen, low: low) : .added(try bias(seen, low))
    }
  }

  private mutating func bias(_ seen: ValueID, _ low: Float) throws -> ValueID {
    try builder("where", seen, builder.constant(0), builder.constant(low))
  }

  private mutating func cast(_ x: ValueID, _ element: ElementType) throws -> ValueID {
    try builder("cast", x, attributes: ["to": .element(element)])
  }

  /// A scalar as an axis of its own.
  private mutating func axis(_ scalar: ValueID) throws -> ValueID {
    try builder("unsqueeze", scalar, builder.constant([0]))
  }

  private mutating func masked(_ scores: ValueID) throws -> ValueID {
    var scores = scores
    if form.positions == .slopes {
      let keys = try cast(range(nil, total), .f32)
      let slopes = (0..<form.heads).map { Float(0.5) / Float(1 << $0) }
      let rise = try blocks.commutative(
        "mul", keys, builder.constant(Tensor(f32: slopes, [form.heads, 1, 1])))
      scores = try blocks.commutative("add", scores, rise)
    }
    switch mask! {
    case .added(let bias): return try blocks.commutative("add", scores, bias)
    case .chosen(let seen, let low): return try builder("where", seen, scores, builder.constant(low))
    }
  }

  // MARK: Rotary positions

  /// Entries of a head that are rotated: all, or all but two.
  private var rotated: Int { form.layers == 1 ? form.size : form.size - 2 }

  mutating func addAngles() throws {
    builder.location = "angles"
    let half = rotated / 2
    let frequencies = (0..<half).map { Float(1) / Float(1 << $0) }
    if blocks.flip() {
      let column = try builder("unsqueeze", cast(positions(), .f32), builder.constant([2]))
      let once = try blocks.commutative("mul", column, builder.constant(Tensor(f32: frequencies)))
      let twice = try builder("concat", once, once, attributes: ["axis": .int(-1)])
      angles = (try perHead(builder("cos", twice)), try perHead(builder("sin", twice)))
    } else {
      let values = (0..<Self.context).flatMap { place in
        (0..<rotated).map { Float(place) * frequencies[$0 % half] }
      }
      func table(_ function: (Float) -> Float) -> Tensor {
        Tensor(f32: values.map(function), [Self.context, rotated])
      }
      let places = try positions()
      let (cosines, sines) = (table(cosf), table(sinf))
      angles = (
        try perHead(builder("gather", builder.constant(cosines, name: "cos"), places)),
        try perHead(builder("gather", builder.constant(sines, name: "sin"), places))
      )
    }
  }

  private mutating func perHead(_ rows: ValueID) throws -> ValueID {
    try builder("unsqueeze", rows, builder.constant([1]))
  }

  /// `[B, heads, S, size]` turned by the positions of its rows.
  private mutating func rotate(_ x: ValueID) throws -> ValueID {
    guard let angles else { return x }
    let width = rotated
    let first = width == form.size ? x : try entries(x, 0, width)
    let (low, high) = (try entries(first, 0, width / 2), try entries(first, width / 2, width))
    let turned = try builder("concat", builder("neg", high), low, attributes: ["axis": .int(-1)])
    let sum = try blocks.commutative(
      "add", blocks.commutative("mul", first, angles.cos), blocks.commutative("mul", turned, angles.sin))
    guard width < form.size else { return sum }
    return try builder("concat", sum, entries(x, width, form.size), attributes: ["axis": .int(-1)])
  }

  private mutating func entries(_ x: ValueID, _ start: Int, _ end: Int) throws -> ValueID {
    try builder("slice", x, builder.constant([start]), builder.constant([end]), builder.constant([3]))
  }

  // MARK: Attention

  /// What rows `[B, S, width]` read of the rows before and with them.
  mutating func attention(_ x: ValueID, layer: Int) throws -> ValueID {
    let counts = [form.heads, form.keyHeads, form.keyHeads]
    var streams = try products(x, counts.map { $0 * form.size })
    for index in streams.indices {
      let shape = builder.constant([0, 0, counts[index], form.size])
      streams[index] = try builder("reshape", streams[index], shape)
    }
    if layer == 0, blocks.flip() {
      for index in 0..<2 {
        streams[index] = try blocks.normalized(streams[index], width: form.size, isCentered: false)
      }
    }
    for index in streams.indices { streams[index] = try swapped(streams[index]) }
    var query = try rotate(streams[0])
    let key = try joined(rotate(streams[1]), layer, "key")
    let value = try joined(streams[2], layer, "value")
    var (keys, values) = (try repeated(key), try repeated(value))
    keys = try builder("transpose", keys, attributes: ["perm": .ints([0, 1, 3, 2])])
    let scale = 1 / Float(form.size).squareRoot()
    let scalesQueries = blocks.flip()
    if scalesQueries { query = try blocks.commutative("mul", query, builder.constant(scale)) }
    var scores = try builder("matmul", query, keys)
    if !scalesQueries {
      scores =
        blocks.flip()
        ? try blocks.commutative("mul", scores, builder.constant(scale))
        : try builder("div", scores, builder.constant(1 / scale))
    }
    if blocks.pick([true, false, false]) {
      let capped = try builder("tanh", builder("div", scores, builder.constant(5)))
      scores = try blocks.commutative("mul", capped, builder.constant(5))
    }
    let weights = try builder("softmax", masked(scores), attributes: ["axis": .int(-1)])
    values = try builder("matmul", weights, values)
    let side = try builder(
      "reshape", swapped(values), builder.constant([0, 0, blocks.pick([-1, form.heads * form.size])]))
    return try blocks.product(side, form.heads * form.size, Self.width)
  }

  /// Queries, keys and values: three products, or one that is split.
  private mutating func products(_ x: ValueID, _ widths: [Int]) throws -> [ValueID] {
    guard blocks.flip() else { return try widths.map { try blocks.product(x, Self.width, $0) } }
    let all = try blocks.product(x, Self.width, widths.reduce(0, +))
    return try builder.add(
      "split", [all, builder.constant(widths)], Attributes(["axis": .int(-1)]), resultCount: 3
    ).map { $0! }
  }

  /// `[a, b, c, d]` as `[a, c, b, d]`.
  private mutating func swapped(_ x: ValueID) throws -> ValueID {
    try builder("transpose", x, attributes: ["perm": .ints([0, 2, 1, 3])])
  }

  /// The cache with new rows.
  private mutating func joined(_ rows: ValueID, _ layer: Int, _ part: String) throws -> ValueID {
    let name = Self.cache(layer, part)
    let cache = builder.graph.inputs.first { builder.graph[$0].name == name }!
    let present = try builder("concat", cache, rows, attributes: ["axis": .int(blocks.pick([2, -2]))])
    presents.append((name.replacing("past_key_values", with: "present"), present))
    return present
  }

  /// Heads of keys or values, as often as queries have them.
  private mutating func repeated(_ x: ValueID) throws -> ValueID {
    let group = form.heads / form.keyHeads
    if group == 1 { return x }
    let apart = try builder("unsqueeze", x, builder.constant([2]))
    let spread =
      blocks.flip()
      ? try builder("expand", apart, builder.constant([1, 1, group, 1, 1]))
      : try builder("tile", apart, builder.constant([1, 1, group, 1, 1]))
    return try builder("reshape", spread, builder.constant([0, form.heads, -1, form.size]))
  }
}
