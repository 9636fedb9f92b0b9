public import GraphIR
import Tensors

extension RewritePass {
  /// Reads sizes off the inputs that bring them, so that no computed value is kept for its shape alone.
  ///
  ///     %h = transpose(...)  : f32[batch, seq, 4, 16]            %a = shape(%input_ids) {start = 0, end = 2}
  ///     %s = shape(%h)       : i64[4]                    ──►     %s = concat(%a, [4, 16])
  public static let anchorShapes = RewritePass(
    "anchor-shapes", "Reads sizes off the inputs that bring them.", fidelity: .exact, rules: [AnchorShape()])
}

private struct AnchorShape: Rule {
  let name = "anchor-shape"
  let anchors = ["shape"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    guard let operand = view[id].operands[0], let result = view[id].results[0] else { return nil }
    if case .input = view.graph[operand].definition { return nil }
    guard let content = view.graph[result].content, !content.isEmpty else { return nil }
    var pieces: [Piece] = []
    for dim in content {
      guard let piece = Piece(dim, in: view) else { return nil }
      if let merged = pieces.last?.joined(with: piece) {
        pieces[pieces.count - 1] = merged
      } else {
        pieces.append(piece)
      }
    }
    let found = pieces
    return Patch("sizes from inputs", replacing: [result]) { builder throws(OperatorError) in
      var values: [ValueID?] = []
      for piece in found { values.append(try piece.build(&builder)) }
      if values.count == 1 { return [values[0]!] }
      return [try builder.add("concat", values, Attributes(["axis": .int(0)]))[0]!]
    }
  }

  /// Neighbouring sizes that come from one place.
  private enum Piece {
    case constants([Int])
    case axes(ValueID, Range<Int>)

    init?(_ dim: Dim, in view: borrowing GraphView) {
      if let number = dim.constant {
        self = .constants([number])
        return
      }
      for input in view.graph.inputs {
        if let axis = view.type(input).shape.firstIndex(of: dim) {
          self = .axes(input, axis..<axis + 1)
          return
        }
      }
      return nil
    }

    func joined(with next: Piece) -> Piece? {
      switch (self, next) {
      case (.constants(let a), .constants(let b)): .constants(a + b)
      case (.axes(let a, let left), .axes(let b, let right))
      where a == b && left.upperBound == right.lowerBound:
        .axes(a, left.lowerBound..<right.upperBound)
      default: nil
      }
    }

    func build(_ builder: inout GraphBuilder) throws(OperatorError) -> ValueID {
      switch self {
      case .constants(let numbers): builder.constant(numbers)
      case .axes(let input, let range):
        try builder(
          "shape", input, attributes: ["start": .int(range.lowerBound), "end": .int(range.upperBound)])
      }
    }
  }
}
