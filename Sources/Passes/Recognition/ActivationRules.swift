import GraphIR
import Tensors

/// `max(x, 0)` and `clip(x, 0)` are `relu(x)`.
struct RecognizeRelu: Rule {
  let name = "recognize-relu"
  let anchors = ["max", "clip"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0] else { return nil }
    let x: ValueID, least: Double
    if node.operation == "max" {
      guard let (operand, scalar) = view.withScalar(result, "max") else { return nil }
      (x, least) = (operand, scalar)
    } else {
      guard let operand = node.operands[0], let scalar = view.scalar(Self.bound(1, node)) else { return nil }
      // What no number is above binds nothing.
      if let most = Self.bound(2, node) {
        guard let most = view.scalar(most), most >= Double(Float.greatestFiniteMagnitude) else { return nil }
      }
      (x, least) = (operand, scalar)
    }
    let type = view.type(result)
    guard least == 0, type == view.type(x), type.element.isFloatingPoint else { return nil }
    return Patch("\(node.operation)(x, 0)", replacing: result, with: "relu", [x])
  }

  private static func bound(_ index: Int, _ node: Node) -> ValueID? {
    index < node.operands.count ? node.operands[index] : nil
  }
}

/// `x * sigmoid(alpha x)` is `swish(x)`.
struct RecognizeSwish: Rule {
  let name = "recognize-swish"
  let anchors = ["mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (x, gate) in [(a, b), (b, a)] {
      guard let argument = view.operand(of: gate, "sigmoid") else { continue }
      var alpha = 1.0
      if argument != x {
        guard let (scaled, factor) = view.withScalar(argument, "mul"), scaled == x else { continue }
        alpha = factor
      }
      return Patch(
        "x sigmoid(x)", replacing: result, with: "swish", [x],
        alpha == 1 ? [:] : ["alpha": .float(Float(alpha))])
    }
    return nil
  }
}

/// GELU in any association of its products.
///
///     x/2 (1 + erf(x / sqrt(2)))                              ──►   gelu(x)
///     x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))           ──►   gelu(x) {approximate = "tanh"}
///
/// The product is expanded as a polynomial in x and f, the value of erf or tanh: it must be x/2 + x f/2, and
/// the argument of f the polynomial in x that defines it. So every order of factors and summands is the same
/// pattern.
struct RecognizeGelu: Rule {
  let name = "recognize-gelu"
  let anchors = ["mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    guard let result = view[id].results[0], let function = function(under: result, view, depth: 4) else {
      return nil
    }
    let node = view[function]
    guard let argument = node.operands[0], let f = node.results[0] else { return nil }
    let isTanh = node.operation == "tanh"
    let needed = Polynomial(
      isTanh
        ? [.x(1): (2 / Double.pi).squareRoot(), .x(3): 0.044715 * (2 / Double.pi).squareRoot()]
        : [.x(1): 0.5.squareRoot()])
    for x in atoms(of: argument, view) where view.type(x) == view.type(result) {
      guard let inner = Polynomial(argument, x: x, f: nil, view), inner.isClose(to: needed),
        let outer = Polynomial(result, x: x, f: f, view),
        outer.isClose(to: Polynomial([.x(1): 0.5, .xf: 0.5]))
      else { continue }
      return Patch(
        isTanh ? "tanh form" : "erf form", replacing: result, with: "gelu", [x],
        isTanh ? ["approximate": .string("tanh")] : [:])
    }
    return nil
  }

  /// The first `erf` or `tanh` under products, sums and quotients.
  private func function(under value: ValueID, _ view: borrowing GraphView, depth: Int) -> NodeID? {
    guard let id = view.graph.producer(of: value) else { return nil }
    if ["erf", "tanh"].contains(view[id].operation) { return id }
    guard depth > 0, ["mul", "add", "div"].contains(view[id].operation) else { return nil }
    for case let operand? in view[id].operands {
      if let found = function(under: operand, view, depth: depth - 1) { return found }
    }
    return nil
  }

  /// Values that an argument may be a polynomial in: operands of its products and sums.
  private func atoms(of argument: ValueID, _ view: borrowing GraphView) -> [ValueID] {
    var atoms = [argument]
    var level = [argument]
    for _ in 0..<6 {
      var next: [ValueID] = []
      for value in level {
        guard let node = view.producer(of: value, "mul", "add", "div", "pow") else { continue }
        for case let operand? in node.operands
        where !view.isConstantExpression(operand) && !atoms.contains(operand) {
          next.append(operand)
          atoms.append(operand)
        }
      }
      level = next
    }
    return atoms
  }
}

/// A polynomial in x and f, of degree 1 in f.
private struct Polynomial {
  struct Monomial: Hashable {
    let x: Int
    let f: Int
    static func x(_ power: Int) -> Monomial { Monomial(x: power, f: 0) }
    static let xf = Monomial(x: 1, f: 1)
  }

  private var coefficients: [Monomial: Double]

  init(_ coefficients: [Monomial: Double]) { self.coefficients = coefficients }

  /// Expands a value that products, sums, quotients by scalars and powers make of x, f and scalars.
  init?(_ value: ValueID, x: ValueID, f: ValueID?, _ view: borrowing GraphView, depth: Int = 8) {
    if value == x {
      self.init([.x(1): 1])
    } else if value == f {
      self.init([Monomial(x: 0, f: 1): 1])
    } else if let scalar = view.uniform(value) {
      self.init([.x(0): scalar])
    } else {
      guard depth > 0, let node = view.producer(of: value, "mul", "add", "div", "pow"),
        let (a, b) = view.pair(node), let left = Polynomial(a, x: x, f: f, view, depth: depth - 1)
      else { return nil }
      if node.operation == "pow" {
        guard let power = view.uniform(b).flatMap({ Int(exactly: $0) }), (1...3).contains(power) else {
          return nil
        }
        self = (1..<power).reduce(left) { product, _ in product * left }
        return
      }
      if node.operation == "div" {
        guard let divisor = view.uniform(b), divisor != 0 else { return nil }
        self = left * Polynomial([.x(0): 1 / divisor])
        return
      }
      guard let right = Polynomial(b, x: x, f: f, view, depth: depth - 1) else { return nil }
      self = node.operation == "mul" ? left * right : left + right
    }
  }

  static func * (a: Polynomial, b: Polynomial) -> Polynomial {
    var product: [Monomial: Double] = [:]
    for (p, c) in a.coefficients {
      for (q, d) in b.coefficients { product[Monomial(x: p.x + q.x, f: p.f + q.f), default: 0] += c * d }
    }
    return Polynomial(product)
  }

  static func + (a: Polynomial, b: Polynomial) -> Polynomial {
    Polynomial(a.coefficients.merging(b.coefficients, uniquingKeysWith: +))
  }

  /// Whether the same monomials have coefficients that agree as far as exporters round them.
  func isClose(to other: Polynomial) -> Bool {
    coefficients.count == other.coefficients.count
      && coefficients.allSatisfy { monomial, coefficient in
        other.coefficients[monomial].map { abs(coefficient - $0) <= 1e-3 * abs($0) } ?? false
      }
  }
}
