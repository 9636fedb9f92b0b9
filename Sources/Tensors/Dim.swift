/// The extent of one axis: an integer, or a polynomial over named sizes that are bound at run time.
///
/// A dim is kept in a canonical form - a sum of monomials in a fixed order - so `past + seq` and `seq + past`
/// are equal. Quotients and extrema that do not simplify are opaque factors.
///
///     Dim("P") + Dim("S")          // P + S
///     (Dim("S") * 4) / Dim(2)      // 2*S
public struct Dim: Hashable, Sendable {
  /// A factor that no further arithmetic takes apart.
  public indirect enum Factor: Hashable, Sendable {
    case symbol(String)
    case floorDivide(Dim, Dim)
    case maximum(Dim, Dim)
    case minimum(Dim, Dim)
  }

  struct Term: Hashable, Sendable {
    var factors: [Factor]  // sorted; empty for the constant term
    var coefficient: Int  // never zero
  }

  /// Sorted by factors; the constant term, if any, comes last.
  var terms: [Term]

  public init(_ constant: Int) { terms = constant == 0 ? [] : [Term(factors: [], coefficient: constant)] }

  public init(_ symbol: String) { terms = [Term(factors: [.symbol(symbol)], coefficient: 1)] }

  init(_ factor: Factor) { terms = [Term(factors: [factor], coefficient: 1)] }

  init(summing unsorted: [Term]) {
    var coefficients: [[Factor]: Int] = [:]
    for term in unsorted { coefficients[term.factors, default: 0] &+= term.coefficient }
    terms = coefficients.filter { $0.value != 0 }.map { Term(factors: $0.key, coefficient: $0.value) }
    if terms.count > 1 { terms.sort { Dim.precedes($0, $1) } }
  }

  private static func precedes(_ a: Term, _ b: Term) -> Bool {
    if a.factors.isEmpty != b.factors.isEmpty { return !a.factors.isEmpty }
    return a.factors.map(\.description).joined(separator: "*")
      < b.factors.map(\.description).joined(separator: "*")
  }

  /// The value, when it does not depend on any symbol.
  public var constant: Int? {
    switch terms.count {
    case 0: 0
    case 1 where terms[0].factors.isEmpty: terms[0].coefficient
    default: nil
    }
  }

  /// The name, when the dim is a single symbol.
  public var symbol: String? {
    guard terms.count == 1, terms[0].coefficient == 1, case .symbol(let name)? = terms[0].factors.first,
      terms[0].factors.count == 1
    else { return nil }
    return name
  }

  /// All symbols that the value depends on.
  public var symbols: Set<String> {
    var names: Set<String> = []
    for term in terms {
      for factor in term.factors {
        switch factor {
        case .symbol(let name): names.insert(name)
        case .floorDivide(let a, let b), .maximum(let a, let b), .minimum(let a, let b):
          names.formUnion(a.symbols)
          names.formUnion(b.symbols)
        }
      }
    }
    return names
  }

  /// The value under a binding of symbols, or nil if one is missing or a divisor is zero.
  public func evaluated(_ binding: [String: Int]) -> Int? {
    var sum = 0
    for term in terms {
      var product = term.coefficient
      for factor in term.factors {
        guard let value = factor.evaluated(binding) else { return nil }
        product = product &* value
      }
      sum = sum &+ product
    }
    return sum
  }

  /// The dim with symbols replaced.
  public func substituting(_ replacement: [String: Dim]) -> Dim {
    var sum = Dim(0)
    for term in terms {
      var product = Dim(term.coefficient)
      for factor in term.factors {
        switch factor {
        case .symbol(let name): product = product * (replacement[name] ?? Dim(name))
        case .floorDivide(let a, let b):
          product = product * (a.substituting(replacement) / b.substituting(replacement))
        case .maximum(let a, let b):
          product = product * Dim.maximum(a.substituting(replacement), b.substituting(replacement))
        case .minimum(let a, let b):
          product = product * Dim.minimum(a.substituting(replacement), b.substituting(replacement))
        }
      }
      sum = sum + product
    }
    return sum
  }
}

extension Dim.Factor {
  func evaluated(_ binding: [String: Int]) -> Int? {
    switch self {
    case .symbol(let name): return binding[name]
    case .floorDivide(let a, let b):
      guard let x = a.evaluated(binding), let y = b.evaluated(binding), y != 0 else { return nil }
      return Dim.floorDivide(x, y)
    case .maximum(let a, let b):
      guard let x = a.evaluated(binding), let y = b.evaluated(binding) else { return nil }
      return max(x, y)
    case .minimum(let a, let b):
      guard let x = a.evaluated(binding), let y = b.evaluated(binding) else { return nil }
      return min(x, y)
    }
  }
}

// MARK: Arithmetic

extension Dim {
  public static func + (a: Dim, b: Dim) -> Dim { Dim(summing: a.terms + b.terms) }

  public static func - (a: Dim, b: Dim) -> Dim { a + b * Dim(-1) }

  public static func * (a: Dim, b: Dim) -> Dim {
    var products: [Term] = []
    for x in a.terms {
      for y in b.terms {
        let factors = (x.factors + y.factors).sorted { $0.description < $1.description }
        products.append(Term(factors: factors, coefficient: x.coefficient &* y.coefficient))
      }
    }
    return Dim(summing: products)
  }

  public static func * (a: Dim, b: Int) -> Dim { a * Dim(b) }
  public static func + (a: Dim, b: Int) -> Dim { a + Dim(b) }
  public static func - (a: Dim, b: Int) -> Dim { a - Dim(b) }

  /// The quotient rounded toward minus infinity; exact divisions simplify.
  public static func / (a: Dim, b: Dim) -> Dim {
    if let exact = a.dividedExactly(by: b) { return exact }
    if let x = a.constant, let y = b.constant, y != 0 { return Dim(floorDivide(x, y)) }
    return Dim(.floorDivide(a, b))
  }

  public static func maximum(_ a: Dim, _ b: Dim) -> Dim {
    if a == b { return a }
    if let x = a.constant, let y = b.constant { return Dim(max(x, y)) }
    return Dim(.maximum(a, b))
  }

  public static func minimum(_ a: Dim, _ b: Dim) -> Dim {
    if a == b { return a }
    if let x = a.constant, let y = b.constant { return Dim(min(x, y)) }
    return Dim(.minimum(a, b))
  }

  /// `self / b` if `b` is a monomial that divides every term.
  func dividedExactly(by b: Dim) -> Dim? {
    if terms.isEmpty, !b.terms.isEmpty { return Dim(0) }
    guard b.terms.count == 1 else { return self == b ? Dim(1) : nil }
    let divisor = b.terms[0]
    var quotients: [Term] = []
    for term in terms {
      let (quotient, overflow) = term.coefficient.dividedReportingOverflow(by: divisor.coefficient)
      guard !overflow, quotient &* divisor.coefficient == term.coefficient else { return nil }
      var factors = term.factors
      for factor in divisor.factors {
        guard let index = factors.firstIndex(of: factor) else { return nil }
        factors.remove(at: index)
      }
      quotients.append(Term(factors: factors, coefficient: quotient))
    }
    return Dim(summing: quotients)
  }

  static func floorDivide(_ a: Int, _ b: Int) -> Int {
    if b == -1 { return 0 &- a }
    let quotient = a / b
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient
  }
}

extension Dim: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int) { self.init(value) }
}
