public import Tensors

extension OperatorSchema {
  /// Fewest and most operands; the most is nil when the last operand is variadic.
  public var operandCount: (least: Int, most: Int?) {
    let least = (operands.lastIndex { $0.presence == .required } ?? -1) + 1
    return (least, operands.last?.presence == .variadic ? nil : operands.count)
  }

  /// What is wrong with a list of operands, given which are present; nil when it fits.
  func complaint(aboutOperands isPresent: [Bool]) -> String? {
    let (least, most) = operandCount
    if isPresent.count < least || isPresent.count > most ?? Int.max {
      let accepted = most.map { $0 == least ? "\(least)" : "\(least)...\($0)" } ?? "\(least) or more"
      return "has \(isPresent.count) operands, accepted are \(accepted)"
    }
    for (operand, present) in zip(operands, isPresent) where operand.presence == .required && !present {
      return "needs its operand '\(operand.name)'"
    }
    return nil
  }

  /// What is wrong with a number of results; nil when it fits.
  func complaint(aboutResults count: Int) -> String? {
    if results.contains(count) { return nil }
    let accepted = results.count == 1 ? "\(results.lowerBound)" : "\(results)"
    return "has \(count) results, accepted are \(accepted)"
  }

  /// Everything that is wrong with attributes: unknown ones, other kinds, missing ones.
  func complaints(about attributes: Attributes) -> [String] {
    var complaints: [String] = []
    for (name, value) in attributes.values.sorted(by: { $0.key < $1.key }) {
      guard let attribute = self.attributes.first(where: { $0.name == name }) else {
        let accepted = self.attributes.map(\.name).joined(separator: ", ")
        complaints.append("has no attribute '\(name)'; accepted: \(accepted.isEmpty ? "none" : accepted)")
        continue
      }
      if value.kind != attribute.kind {
        complaints.append("takes attribute '\(name)' as \(attribute.kind), found \(value.kind)")
      }
    }
    for attribute in self.attributes where attribute.isRequired && attributes[attribute.name] == nil {
      complaints.append("needs attribute '\(attribute.name)'")
    }
    return complaints
  }
}

extension AttributeValue {
  /// The kind that a schema declares for such a value.
  public var kind: OperatorSchema.Attribute.Kind {
    switch self {
    case .int: .int
    case .float: .float
    case .string: .string
    case .ints: .ints
    case .floats: .floats
    case .strings: .strings
    case .element: .element
    case .tensor: .tensor
    }
  }
}
