import GraphIR
import Tensors

extension InferenceCall {
  /// The shape that an integer vector operand spells; unknown entries become new symbols.
  func shapeOperand(_ operand: Int) throws(OperatorError) -> [Dim] {
    if let content = content(operand) { return content }
    return try (0..<vectorCount(operand)).map { _ in unknownDim() }
  }

  /// The length of a vector operand, which must be known and at most two numbers per axis (as paddings have).
  func vectorCount(_ operand: Int) throws(OperatorError) -> Int {
    let type = try type(operand)
    let most = 2 * Extents.maximumRank
    let count = type.rank == 1 ? content(operand)?.count ?? type.shape[0].constant : nil
    guard let count, (0...most).contains(count) else {
      throw OperatorError("operand \(operand) is \(type), accepted is a vector of known length up to \(most)")
    }
    return count
  }

  /// Axes in an optional operand: resolved and in the order given, nil when absent.
  func axes(_ operand: Int, rank: Int) throws(OperatorError) -> [Int]? {
    guard has(operand) else { return nil }
    guard let integers = integers(operand) else {
      throw OperatorError("operand \(operand), the axes, must be constant", isUnsupported: true)
    }
    var axes: [Int] = []
    for axis in integers {
      let resolved = try ShapeRules.axis(axis, rank: rank)
      guard !axes.contains(resolved) else {
        throw OperatorError("axes \(integers) name axis \(resolved) twice")
      }
      axes.append(resolved)
    }
    return axes
  }

  /// A required integer attribute.
  func requiredInt(_ name: String) throws(OperatorError) -> Int {
    guard let value = attributes.int(name) else { throw OperatorError("attribute '\(name)' is missing") }
    return value
  }

  /// Checks the shape of an operand, unless it is absent. Different symbols are taken to be equal, which
  /// running checks.
  func require(_ operand: Int, shape: [Dim]) throws(OperatorError) {
    guard has(operand) else { return }
    let type = try type(operand)
    let fits = zip(type.shape, shape).allSatisfy { $0.constant == nil || $1.constant == nil || $0 == $1 }
    guard type.rank == shape.count, fits else {
      throw OperatorError("operand \(operand) is \(type), accepted is the shape \(ShapeRules.list(shape))")
    }
  }

  /// Checks the type of an operand, as far as its shape is known.
  func require(
    _ operand: Int, _ element: ElementType, _ shape: [Int], _ name: String
  ) throws(OperatorError) {
    let (type, expected) = (try type(operand), TensorType(element, shape.map { Dim($0) }))
    guard type.element == element, type.rank == shape.count,
      zip(type.shape, shape).allSatisfy({ $0.constant ?? $1 == $1 })
    else { throw OperatorError("\(name) is \(type), accepted is \(expected)") }
  }

  /// Checks that operands have one element type.
  func requireEqualElements(_ first: Int, _ second: Int) throws(OperatorError) {
    let (a, b) = (try type(first).element, try type(second).element)
    guard a == b else {
      throw OperatorError("operand \(first) is \(a) and operand \(second) is \(b), they must be equal")
    }
  }
}

/// The known elements of a small integer tensor together with its integer shape.
struct KnownContent {
  var shape: [Int]
  var elements: [Dim]

  init(shape: [Int], elements: [Dim]) {
    self.shape = shape
    self.elements = elements
  }

  init?(_ fact: ValueFact?) {
    guard let fact, let content = fact.content, let shape = fact.type.constantShape,
      shape.reduce(1, *) == content.count
    else { return nil }
    self.init(shape: shape, elements: content)
  }

  /// The result of a data movement: `source` gives, for each position of the result, the position read.
  func moved(to result: [Int], source: ([Int]) -> [Int]) -> [Dim]? {
    let count = result.reduce(1, *)
    guard count <= ValueFact.maximumContentCount else { return nil }
    var index = [Int](repeating: 0, count: result.count)
    var moved: [Dim] = []
    for _ in 0..<count {
      var offset = 0
      for (extent, position) in zip(shape, source(index)) { offset = offset * extent + position }
      moved.append(elements[offset])
      var axis = result.count - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < result[axis] { break }
        index[axis] = 0
        axis -= 1
      }
    }
    return moved
  }
}
