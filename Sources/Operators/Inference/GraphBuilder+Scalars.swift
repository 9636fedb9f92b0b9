import GraphIR
import Tensors

extension GraphBuilder {
  /// A scalar constant of the element type of `value`: a float of 16 bits or more, i32 or i64.
  mutating func constant(_ number: Double, like value: ValueID) -> ValueID {
    constant(number, type(value).element)
  }

  /// A scalar constant of an element type: a float of 16 bits or more, i32 or i64.
  mutating func constant(_ number: Double, _ element: ElementType) -> ValueID {
    switch element {
    case .f64: constant(Tensor(.f64, [], values: [number]))
    case .f16: constant(Tensor(.f16, [], values: [Float16(number)]))
    case .bf16: constant(Tensor(.bf16, [], values: [NumberCoding.bf16(Float(number))]))
    case .i64: constant(Tensor(.i64, [], values: [Int(number)]))
    case .i32: constant(Tensor(.i32, [], values: [Int32(number)]))
    default: constant(Float(number))
    }
  }
}
