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
}
